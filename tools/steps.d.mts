export function setUp(): Promise<void>;
