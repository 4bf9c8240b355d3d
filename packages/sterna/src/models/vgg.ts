/** The VGG-inspired network of TWN for 32×32 images; input [N, 3, 32, 32]. */
import type { Model } from '../graph/index.ts'
import { NetworkBuilder } from './network-builder.ts'

/**
 * 2×(128-C3) + MP2 + 2×(256-C3) + MP2 + 2×(512-C3) + MP2 + 1024-FC + classes, with batch norm and ReLU after every
 * layer but the last (TWN, arXiv 1605.04711, section 3): 12,973,440 weights for ten classes.
 */
export function vgg7(classes: number, seed: number): Model {
  const net = new NetworkBuilder('vgg7', seed, 'kaiming')
  let x = net.graph.input('input', [1, 3, 32, 32])
  for (const [stage, channels] of [128, 256, 512].entries()) {
    for (const index of [2 * stage + 1, 2 * stage + 2]) {
      const sum = net.conv(x, `conv${index}`, channels, 3, { pad: 1 })
      x = net.relu(net.batchNorm(sum, `bn${index}`), `relu${index}`)
    }
    x = net.maxPool(x, `pool${stage + 1}`, 2)
  }
  x = net.graph.op('Flatten', [x], { axis: 1 }, 'flatten')
  x = net.relu(net.batchNorm(net.linear(x, 'fc1', 1024), 'bn7'), 'relu7')
  return net.build(net.linear(x, 'fc2', classes))
}
