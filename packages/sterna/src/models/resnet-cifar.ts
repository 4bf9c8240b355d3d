/** Residual networks for 32×32 images (He et al., 2015, section 4.2); input [N, 3, 32, 32]. */
import type { Model, Value } from '../graph/index.ts'
import { basicBlock } from './basic-block.ts'
import { NetworkBuilder } from './network-builder.ts'

/**
 * Three stages of 16, 32 and 64 channels with `blocksPerStage` basic blocks each: 3 blocks make ResNet-20.
 * Shortcuts have no parameters (option A): every second pixel, new channels zero, half before and half behind.
 */
export function resnetCifar(blocksPerStage: number, classes: number, seed: number): Model {
  const net = new NetworkBuilder(`resnet${6 * blocksPerStage + 2}`, seed, 'kaiming')
  let x = net.graph.input('input', [1, 3, 32, 32])
  x = net.relu(net.batchNorm(net.conv(x, 'conv1', 16, 3, { pad: 1 }), 'bn1'), 'relu1')
  for (const [stage, channels] of [16, 32, 64].entries()) {
    for (let block = 0; block < blocksPerStage; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1
      const name = `layer${stage + 1}.${block}`
      const shortcut = stride === 1 ? x : optionA(net, x, name, channels, stride)
      x = basicBlock(net, x, shortcut, name, stride)
    }
  }
  x = net.graph.op('GlobalAveragePool', [x], {}, 'pool')
  x = net.graph.op('Flatten', [x], { axis: 1 }, 'flatten')
  return net.build(net.linear(x, 'linear', classes))
}

function optionA(net: NetworkBuilder, x: Value, name: string, channels: number, stride: number): Value {
  const [, , height, width] = x.shape as [number, number, number, number]
  const before = Math.floor((channels - x.shape[1]!) / 2)
  const after = channels - x.shape[1]! - before
  const kept = net.graph.op(
    'Slice',
    [x],
    { starts: [0, 0], ends: [height, width], axes: [2, 3], steps: [stride, stride] },
    `${name}.shortcut.slice`,
  )
  return net.graph.op(
    'Pad',
    [kept],
    { pads: [0, before, 0, 0, 0, after, 0, 0], value: 0 },
    `${name}.shortcut.pad`,
  )
}
