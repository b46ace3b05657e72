/**
 * The room `config` has the settings of a run: their schema, defaults and recipes, and the rules by which a config is
 * put together from its sources.
 */
export { mapPlaces, placesOf } from './places.js';
export { augmentationRecipes, defaults, recipes } from './recipes.js';
export {
  type ConfigSources,
  configDifferences,
  formatConfig,
  parseStrictly,
  readConfig,
  readYaml,
  resolveConfig,
  settingNamed,
  type Tree,
} from './resolve.js';
export { type Config, configSchema } from './schema.js';
