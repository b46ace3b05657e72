/** A process, known by its id and its start; the start is '' where the system does not tell it. */
export interface ProcessMark {
  readonly pid: number;
  readonly start: string;
}
export function markOf(pid: number): ProcessMark;
export function isRunning(mark: ProcessMark): boolean;
export function idSpace(): string;
