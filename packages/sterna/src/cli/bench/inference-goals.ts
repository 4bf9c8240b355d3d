/** What the runtime is measured by: workloads, and how many times as fast as each peer it is to be. */
import type { PackedModel } from 'sterna-runtime'
import type { Model } from '../../graph/index.ts'
import { zooEntry } from '../../models/index.ts'
import { packModel } from '../../pack/index.ts'
import { selectLayers } from '../../ternary/index.ts'
import type { Precision } from './inference.ts'
import { packRandom, randomConvolution, randomMatrix, randomPacked } from './inference-networks.ts'
import type { PeerName } from './peer-packages.ts'

export interface GoalWorkload {
  readonly name: string
  readonly arithmetic: 'int' | 'f32'
  /** Times as fast as that peer, at least. */
  readonly goals: Partial<Record<`${PeerName} ${Precision}`, number>>
  create(): PackedModel
}

/** @param checkpoint ResNet-20 with its published EC2T weights; without it, random ones with as many zeros */
export function goalWorkloads(checkpoint?: Model): readonly GoalWorkload[] {
  const resnet = checkpoint ?? zooEntry('resnet20').create(10, 1)
  const layers = selectLayers(resnet.graph, 'float-first-last')
  const published = (): PackedModel =>
    checkpoint === undefined
      ? packRandom(resnet, layers, 0.645)
      : packModel(checkpoint, new Map(), { dense: 'f16', metadata: {} }).packed
  const weights = checkpoint === undefined ? 'random' : 'EC2T'
  return [
    {
      name: `ResNet-20, ${weights}, 64 % zeros`,
      arithmetic: 'int',
      goals: { 'ort-web fp32': 8, 'ort-web int8': 5, 'ort-node fp32': 1, 'ort-node int8': 0.5 },
      create: published,
    },
    {
      name: 'ResNet-20, random, 75 %',
      arithmetic: 'int',
      goals: { 'ort-web fp32': 9, 'ort-web int8': 5.5, 'ort-node fp32': 1.3, 'ort-node int8': 0.65 },
      create: () => packRandom(resnet, layers, 0.75),
    },
    {
      name: 'ResNet-20, random, 90 %',
      arithmetic: 'int',
      goals: { 'ort-web fp32': 18, 'ort-web int8': 11, 'ort-node fp32': 2.7, 'ort-node int8': 1.3 },
      create: () => packRandom(resnet, layers, 0.9),
    },
    {
      name: '3×3 conv 64→64 on 32×32, 90 %',
      arithmetic: 'int',
      goals: { 'ort-web fp32': 17, 'ort-web int8': 8, 'ort-node fp32': 2.5, 'ort-node int8': 0.75 },
      create: () => randomConvolution(0.9),
    },
    {
      name: 'LeNet-5 32-64-512, 95 %',
      arithmetic: 'int',
      goals: { 'ort-web fp32': 6, 'ort-node fp32': 1.2 },
      create: () => randomPacked('lenet5', 0.95),
    },
    {
      name: 'vector × 2048×2048, 33 %',
      arithmetic: 'int',
      goals: { 'ort-web fp32': 2.4, 'ort-web int8': 8, 'ort-node fp32': 2, 'ort-node int8': 0.55 },
      create: () => randomMatrix(1 / 3),
    },
    {
      name: `ResNet-20, ${weights}, 64 %, f32`,
      arithmetic: 'f32',
      goals: { 'ort-web fp32': 4, 'ort-node fp32': 0.55 },
      create: published,
    },
  ]
}
