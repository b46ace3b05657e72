export { augmentationRecipes, defaults, recipes } from './recipes.js';
export { type ConfigSources, configDifferences, formatConfig, readConfig, resolveConfig } from './resolve.js';
export { type Config, configSchema } from './schema.js';
