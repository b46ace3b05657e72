/** The settings of a run: schema, defaults, recipes, and how a config is put together from its sources. */
export { augmentationRecipes, defaults, recipes } from './recipes.js';
export {
  type ConfigSources,
  configDifferences,
  formatConfig,
  parseStrictly,
  readConfig,
  readYaml,
  resolveConfig,
  type Tree,
} from './resolve.js';
export { type Config, configSchema } from './schema.js';
