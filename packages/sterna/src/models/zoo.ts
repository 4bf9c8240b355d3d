/** The networks that can be asked for by name. */
import { closest, SternaError } from '../core/index.ts'
import type { Model } from '../graph/index.ts'
import { lenet5, lenet5Classic } from './lenet.ts'
import { resnetCifar } from './resnet-cifar.ts'

export interface ZooEntry {
  readonly name: string
  readonly description: string
  /** [C, H, W] of the images it takes. */
  readonly imageShape: readonly [number, number, number]
  /** Name of the normalisation preset its published weights expect. */
  readonly normalization: string
  /** Builds it with fresh weights, batch size 1. */
  readonly create: (classes: number, seed: number) => Model
}

export const zoo: readonly ZooEntry[] = [
  {
    name: 'lenet5',
    description: 'LeNet-5 of the TWN paper: 32-C5, 64-C5, 512-FC with batch norm',
    imageShape: [1, 28, 28],
    normalization: 'mnist',
    create: lenet5,
  },
  {
    name: 'lenet5-classic',
    description: 'LeNet-5 6-16-120-84-10 without batch norm',
    imageShape: [1, 28, 28],
    normalization: 'mnist',
    create: lenet5Classic,
  },
  ...([3, 5, 7, 9] as const).map(
    (blocks): ZooEntry => ({
      name: `resnet${6 * blocks + 2}`,
      description: `ResNet-${6 * blocks + 2} for CIFAR with parameter-free shortcuts (option A)`,
      imageShape: [3, 32, 32],
      normalization: 'imagenet',
      create: (classes, seed) => resnetCifar(blocks, classes, seed),
    }),
  ),
]

/** The zoo's entry of that name, or an error with the nearest names. */
export function zooEntry(name: string): ZooEntry {
  const entry = zoo.find(candidate => candidate.name === name)
  if (entry !== undefined) return entry
  const names = zoo.map(candidate => candidate.name)
  throw new SternaError('model/unknown', `no network is called "${name}"`, {
    hint: `did you mean ${closest(name, names).join(' or ')}? known: ${names.join(', ')}`,
  })
}
