export function withLock<T>(
  file: string,
  body: (follow: (child: { readonly pid?: number | undefined }) => void) => Promise<T>,
  options?: { log?: (line: string) => void; pollMs?: number },
): Promise<T>;
