/** The place of rows that are not in the page, so that a table of thousands scrolls smoothly. */
export function Gap({ height }: { height: number }) {
  return height > 0 ? (
    <tr>
      <td style={{ height: `${height}px` }} />
    </tr>
  ) : null;
}
