import { normalForm } from './normalForm.js';

/** What programs that anonymise write in the place of every patient, by normal form. */
const STAND_IN =
  /^(anon(ym(ous|i[sz]ed)?)?|de-?identified|no-?(name|id)|unknown|removed|redacted|deleted|hidden|dummy|test|x+)(patient|subject|name|id)?$/;

/** Tells whether a name is one that programs write for any patient. */
export function isStandIn(name: string): boolean {
  return STAND_IN.test(normalForm(name));
}
