/**
 * Runs `work` on every item, at most `limit` at a time, and yields the results in the order of the items. This is
 * concurrency with bounded memory, for work that waits on files or on a decoder's threads.
 */
export async function* mapOrdered<Item, Result>(
  items: Iterable<Item>,
  limit: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const running: Promise<Result>[] = [];
  for (const item of items) {
    const result = work(item);
    // A rejection is thrown when its turn comes; until then, or if the caller stops early, it must not end the process.
    result.catch(() => undefined);
    running.push(result);
    if (running.length >= limit) yield await running.shift()!;
  }
  while (running.length > 0) yield await running.shift()!;
}
