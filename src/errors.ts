/**
 * An error that a user can act on. It names the thing, the value, what was expected and the fix; the command line
 * prints the message without a stack trace and ends with `exitCode`.
 */
export class AnatomyError extends Error {
  readonly exitCode: number = 1;
  override get name(): string {
    return this.constructor.name;
  }
}

/** The command line or the configuration is wrong. */
export class UsageError extends AnatomyError {
  override readonly exitCode = 2;
}

/** The data is missing, unreadable or inconsistent. */
export class DataError extends AnatomyError {
  override readonly exitCode = 3;
}

/** The data is sound, but cannot be used before a setting says how. */
export class SettingNeeded extends DataError {
  /** The setting to write, as in `data.preprocess.a.intensity`. */
  readonly setting: string;

  constructor(message: string, setting: string) {
    super(message);
    this.setting = setting;
  }
}

/** LibTorch, or the addon built against it, is missing or unsupported. */
export class EngineMissingError extends AnatomyError {
  override readonly exitCode = 4;
}
