/**
 * The only attributes that are ever read from a DICOM file: those that give the pixels their meaning, and those that
 * tell patients and studies apart. They are no names, no dates and no free text.
 */
export const TAGS = {
  transferSyntax: 'x00020010',

  patientId: 'x00100020',
  studyId: 'x0020000d',

  samplesPerPixel: 'x00280002',
  photometric: 'x00280004',
  planar: 'x00280006',
  frames: 'x00280008',
  rows: 'x00280010',
  columns: 'x00280011',
  bitsAllocated: 'x00280100',
  bitsStored: 'x00280101',
  highBit: 'x00280102',
  signed: 'x00280103',

  rescaleIntercept: 'x00281052',
  rescaleSlope: 'x00281053',
  modalityTable: 'x00283000',
  windowCentre: 'x00281050',
  windowWidth: 'x00281051',
  windowFunction: 'x00281056',
  voiTable: 'x00283010',
  tableDescriptor: 'x00283002',
  tableData: 'x00283006',
  // Red, green, blue.
  paletteDescriptors: ['x00281101', 'x00281102', 'x00281103'],
  palettes: ['x00281201', 'x00281202', 'x00281203'],
  segmentedPalettes: ['x00281221', 'x00281222', 'x00281223'],

  // Where an image lies.
  pixelSpacing: 'x00280030',
  detectorSpacing: 'x00181164',
  orientation: 'x00200037',
  position: 'x00200032',
  frameOfReference: 'x00200052',

  // The functional groups of enhanced multi-frame objects, with the macros that hold rescale, window
  // and place.
  sharedGroups: 'x52009229',
  frameGroups: 'x52009230',
  pixelValueTransformation: 'x00289145',
  frameVoi: 'x00289132',
  pixelMeasures: 'x00289110',
  planeOrientation: 'x00209116',
  planePosition: 'x00209113',

  regions: 'x00186011',
  regionFormat: 'x00186012',
  regionType: 'x00186014',
  // Left, top, right, bottom.
  regionEdges: ['x00186018', 'x0018601a', 'x0018601c', 'x0018601e'],
  // Down, across.
  regionUnits: ['x00186026', 'x00186024'],
  regionDeltas: ['x0018602e', 'x0018602c'],

  pixelData: 'x7fe00010',
} as const;
