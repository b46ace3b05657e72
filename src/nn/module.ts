/** The interface of networks and their layers, and their tensors by name. */
import { type Device, noGrad, ops, type Tensor, TensorError, tidy, toChannelsLast } from '../tensor/index.js';

/**
 * A part of a network: its own tensors and its parts, by the names they have in a state dict. Training mode is no state
 * of it but an argument of `forward`.
 */
export interface Module {
  readonly parameters?: Readonly<Record<string, Tensor>>;
  /** State that is not trained, such as running statistics. */
  readonly buffers?: Readonly<Record<string, Tensor>>;
  readonly children?: Readonly<Record<string, Module>>;
}

/** Collects the parameters by full name, such as `features.0.weight`, in the order they were declared. */
export function namedParameters(module: Module, prefix = ''): Map<string, Tensor> {
  return collect(module, prefix, (part) => [part.parameters]);
}

/** Collects parameters and buffers by full name, as a checkpoint holds them. */
export function stateDict(module: Module, prefix = ''): Map<string, Tensor> {
  return collect(module, prefix, (part) => [part.parameters, part.buffers]);
}

function collect(
  module: Module,
  prefix: string,
  tensorsOf: (module: Module) => (Readonly<Record<string, Tensor>> | undefined)[],
  found = new Map<string, Tensor>(),
): Map<string, Tensor> {
  for (const tensors of tensorsOf(module)) {
    for (const [name, tensor] of Object.entries(tensors ?? {})) found.set(`${prefix}${name}`, tensor);
  }
  for (const [name, child] of Object.entries(module.children ?? {})) {
    collect(child, `${prefix}${name}.`, tensorsOf, found);
  }
  return found;
}

/**
 * Copies `state` into the module's tensors, in place. Nothing is copied unless everything fits.
 * @param partial allow tensors of the module that `state` lacks
 * @throws TensorError that lists missing, unknown and misshapen names
 */
export function loadState(
  module: Module,
  state: ReadonlyMap<string, Tensor>,
  { partial = false } = {},
): void {
  const own = stateDict(module);
  const problems: string[] = [];
  for (const [name, tensor] of own) {
    const source = state.get(name);
    if (source === undefined) {
      if (!partial) problems.push(`${name} is missing`);
    } else if (source.shape.join() !== tensor.shape.join()) {
      problems.push(`${name} has shape [${source.shape}], expected [${tensor.shape}]`);
    }
  }
  for (const name of state.keys()) if (!own.has(name)) problems.push(`${name} is unknown`);
  if (problems.length > 0) {
    const more = problems.length > 8 ? `; and ${problems.length - 8} more` : '';
    throw new TensorError(`the weights do not fit the network: ${problems.slice(0, 8).join('; ')}${more}`);
  }
  noGrad(() => {
    for (const [name, source] of state) ops.copy_(own.get(name) as Tensor, source);
  });
}

/** Moves a module to a device, convolutions' weights in channels-last memory, and lets its parameters train. */
export function placeModule<M extends Module>(module: M, device: Device): M {
  noGrad(() =>
    tidy(() => {
      for (const tensor of stateDict(module).values()) {
        const moved = tensor.to({ device });
        ops.setData(tensor, tensor.shape.length === 4 ? toChannelsLast(moved) : moved);
      }
      for (const parameter of namedParameters(module).values()) parameter.setRequiresGrad();
    }),
  );
  return module;
}

/** Frees all tensors of a module. */
export function disposeModule(module: Module): void {
  for (const tensor of stateDict(module).values()) tensor.dispose();
}
