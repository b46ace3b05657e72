/** `a=flair` → { a: 'flair' }; `b=null` → { b: null }, a role the data does not have. @throws UsageError without `=` */
export async function columnsOf(pairs: readonly string[]): Promise<Record<string, string | null>> {
  const { UsageError } = await import('../errors.js');
  return Object.fromEntries(
    pairs.map((pair) => {
      const [role, name] = pair.split(/=(.*)/s);
      if (!role || !name)
        throw new UsageError(`--column ${pair}: expected role=name, such as label=diagnosis`);
      return [role, name === 'null' ? null : name];
    }),
  );
}
