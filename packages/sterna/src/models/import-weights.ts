/** Puts tensors from a weights file onto a network and says what went where. */
import { expectF32, f32, SternaError, sameShape, type Tensor } from '../core/index.ts'
import { f16ToF32 } from '../formats/index.ts'
import type { Model } from '../graph/index.ts'

export interface WeightMapping {
  /** One row for each tensor of the network. */
  readonly used: readonly { readonly from: string; readonly to: string; readonly shape: readonly number[] }[]
  /** Tensors of the file that no place was found for. */
  readonly unused: readonly string[]
  readonly by: 'name' | 'order'
}

/** Names that frameworks put around a network, and counters it does not need. */
const wrappers = /^(?:module\.|model\.|_orig_mod\.|net\.)+/
const counters = /(?:^|\.)num_batches_tracked$/

/**
 * The network with the file's numbers. Tensors are matched by name (wrappers such as `module.` removed); where
 * no name fits but the shapes agree one by one, by order. Anything missing or of another shape is an error that
 * lists both sides.
 */
export function importWeights(
  model: Model,
  tensors: ReadonlyMap<string, Tensor>,
): { readonly model: Model; readonly mapping: WeightMapping } {
  const wanted = model.graph.parameters
  const offered = [...tensors].filter(([name]) => !counters.test(name))
  // Exact names come last, so that they win over wrapped ones.
  const byName = new Map(
    [(name: string) => name.replace(wrappers, ''), (name: string) => name].flatMap(key =>
      offered.map(([name, value]) => [key(name), { from: name, value }] as const),
    ),
  )
  const matchesByName = wanted.filter(parameter => byName.has(parameter.name)).length
  const byOrder = matchesByName === 0 && shapesAgree(wanted, offered)

  const parameters = new Map<string, Tensor>()
  const used: { from: string; to: string; shape: readonly number[] }[] = []
  const problems: string[] = []
  wanted.forEach((parameter, index) => {
    const [name, value] = offered[index] ?? []
    const found = byOrder ? { from: name!, value: value! } : byName.get(parameter.name)
    if (found === undefined) problems.push(`${parameter.name} [${parameter.shape}]: not in the file`)
    else if (!sameShape(found.value.shape, parameter.shape)) {
      problems.push(`${parameter.name}: network has [${parameter.shape}], file has [${found.value.shape}]`)
    } else {
      parameters.set(parameter.name, expectF32(widen(found.value), found.from))
      used.push({ from: found.from, to: parameter.name, shape: parameter.shape })
    }
  })
  if (problems.length > 0) throw mappingError(model, offered, problems)
  const taken = new Set(used.map(row => row.from))
  return {
    model: { graph: model.graph, parameters },
    mapping: {
      used,
      unused: offered.map(([name]) => name).filter(name => !taken.has(name)),
      by: byOrder ? 'order' : 'name',
    },
  }
}

function shapesAgree(
  wanted: Model['graph']['parameters'],
  offered: readonly (readonly [string, Tensor])[],
): boolean {
  return (
    wanted.length === offered.length &&
    wanted.every((parameter, index) => sameShape(parameter.shape, offered[index]![1].shape))
  )
}

/** Double and half precision as float32; anything else as it is. */
function widen(value: Tensor): Tensor {
  if (value.dtype === 'f64') return f32(value.shape, Float32Array.from(value.data as Float64Array))
  if (value.dtype === 'f16') return f32(value.shape, f16ToF32(value.data as Uint16Array))
  return value
}

function mappingError(
  model: Model,
  offered: readonly (readonly [string, Tensor])[],
  problems: readonly string[],
): SternaError {
  const more = problems.length > 6 ? `\n  and ${problems.length - 6} more` : ''
  const shown = offered.slice(0, 6).map(([name, value]) => `${name} [${value.shape}]`)
  return new SternaError(
    'model/mapping',
    `the weights do not fit ${model.graph.name}:\n  ${problems.slice(0, 6).join('\n  ')}${more}`,
    {
      hint: `the file holds ${offered.length} tensors: ${shown.join(', ')}${offered.length > 6 ? ', …' : ''}`,
      detail: { problems },
    },
  )
}
