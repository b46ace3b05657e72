// Sets the checkout up; the `pre` hook of npm's test and demo. Whether this Node can comes first, so nothing is imported
// above, and the syntax is what the Node 12 of older distributions reads.
if (parseInt(process.versions.node, 10) < 20) {
  console.error(
    `setup: Node ${process.versions.node} runs this, expected 20 or newer. Install it: https://nodejs.org/en/download`,
  );
  process.exit(1);
}
import('./steps.mjs')
  .then((steps) => steps.setUp())
  .catch((error) => {
    console.error(error);
    process.exit(1);
  });
