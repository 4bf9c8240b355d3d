/**
 * `model.safetensors`: every parameter under its own name with the value the network computes with, so that any
 * tool can load it; beside each quantized one its levels (`@assignment`, `@positive`, `@negative`) and the latent
 * weight (`@latent`).
 */
import { expectF32, naming, type Shape, SternaError, sameShape, type Tensor, tensor } from '../core/index.ts'
import { readSafetensors, writeSafetensors } from '../formats/index.ts'
import type { Graph } from '../graph/index.ts'
import type { TernaryWeight } from '../ternary/index.ts'
import { stateKey } from './quantized-network.ts'
import type { TrainedNetwork } from './trainer.ts'

export function writeTrained({ model, ternary, latent }: TrainedNetwork): Uint8Array {
  const tensors = new Map(model.parameters)
  for (const [name, { shape, assignment, positive, negative }] of ternary) {
    tensors.set(stateKey(name, 'assignment'), tensor('i8', shape, assignment))
    tensors.set(stateKey(name, 'positive'), tensor('f32', [positive.length], positive))
    tensors.set(stateKey(name, 'negative'), tensor('f32', [negative.length], negative))
    const held = latent.get(name)
    if (held !== undefined && held !== model.parameters.get(name)) tensors.set(stateKey(name, 'latent'), held)
  }
  return writeSafetensors(tensors, { format: 'sterna-model' })
}

/** Reads such a file for a network; `latent` has the latent weight where there is one, else the weight. */
export function readTrained(graph: Graph, bytes: Uint8Array, where: string): TrainedNetwork {
  const { tensors } = naming(where, () => readSafetensors(bytes))
  const parameters = new Map<string, Tensor>()
  const latent = new Map<string, Tensor>()
  const ternary = new Map<string, TernaryWeight>()
  for (const { name, shape } of graph.parameters) {
    const value = expectF32(tensors.get(name), `${where}: ${name}`)
    if (!sameShape(value.shape, shape)) {
      throw new SternaError(
        'model/mapping',
        `${where}: ${name} is [${value.shape}], the network has [${shape}]`,
      )
    }
    parameters.set(name, value)
    const levels = readTernary(tensors, name, shape, where)
    if (levels !== undefined) ternary.set(name, levels)
    const held = tensors.get(stateKey(name, 'latent')) ?? value
    if (held.dtype !== 'f32' || !sameShape(held.shape, shape)) throw misfit(name, 'latent weight', where)
    latent.set(name, held)
  }
  return { model: { graph, parameters }, ternary, latent }
}

function readTernary(
  tensors: ReadonlyMap<string, Tensor>,
  name: string,
  shape: Shape,
  where: string,
): TernaryWeight | undefined {
  const assignment = tensors.get(stateKey(name, 'assignment'))
  if (assignment === undefined) return undefined
  if (
    assignment.dtype !== 'i8' ||
    !sameShape(assignment.shape, shape) ||
    (assignment.data as Int8Array).some(sign => sign < -1 || sign > 1)
  ) {
    throw misfit(name, 'assignment', where)
  }
  const magnitudes = (side: string) => {
    const key = stateKey(name, side)
    const { data } = expectF32(tensors.get(key), `${where}: ${key}`)
    if (data.length !== 1 && data.length !== shape[0]) throw misfit(name, side, where)
    return data
  }
  const positive = magnitudes('positive')
  const negative = magnitudes('negative')
  if (positive.length !== negative.length) throw misfit(name, 'number of magnitudes', where)
  return { shape, assignment: assignment.data as Int8Array, positive, negative }
}

function misfit(name: string, part: string, where: string): SternaError {
  return new SternaError('model/mapping', `${where}: the ${part} of ${name} does not fit its weight`)
}
