/**
 * `model.safetensors`: every parameter under its own name with the value the network computes with, so that any
 * tool can load it; beside each quantized one its levels (`@assignment`, `@positive`, `@negative`) and the latent
 * weight (`@latent`).
 */
import { expectF32, SternaError, type Tensor, tensor } from '../core/index.ts'
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
    if (held !== undefined) tensors.set(stateKey(name, 'latent'), held)
  }
  return writeSafetensors(tensors, { format: 'sterna-model' })
}

/** Reads such a file for a network; `latent` has the latent weight where there is one, else the weight. */
export function readTrained(graph: Graph, bytes: Uint8Array, where: string): TrainedNetwork {
  const { tensors } = readSafetensors(bytes)
  const parameters = new Map<string, Tensor>()
  const latent = new Map<string, Tensor>()
  const ternary = new Map<string, TernaryWeight>()
  for (const { name, shape } of graph.parameters) {
    const value = expectF32(tensors.get(name), `${where}: ${name}`)
    if (value.shape.join() !== shape.join()) {
      throw new SternaError(
        'model/mapping',
        `${where}: ${name} is [${value.shape}], the network has [${shape}]`,
      )
    }
    parameters.set(name, value)
    latent.set(name, tensors.get(stateKey(name, 'latent')) ?? value)
    const assignment = tensors.get(stateKey(name, 'assignment'))
    if (assignment === undefined) continue
    if (assignment.dtype !== 'i8' || assignment.data.length !== value.data.length) {
      throw new SternaError('model/mapping', `${where}: the assignment of ${name} does not fit its weight`)
    }
    ternary.set(name, {
      shape,
      assignment: assignment.data as Int8Array,
      positive: expectF32(tensors.get(stateKey(name, 'positive')), `${where}: ${name}@positive`).data,
      negative: expectF32(tensors.get(stateKey(name, 'negative')), `${where}: ${name}@negative`).data,
    })
  }
  return { model: { graph, parameters }, ternary, latent }
}
