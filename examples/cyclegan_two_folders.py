"""Trains CycleGAN on two folders of images that do not correspond.

    python examples/cyclegan_two_folders.py --input_dir_A horses --input_dir_B zebras

Writes a run folder, which cyclegan-tf can test, export, serve and resume.
"""

import argparse

import keras

import cyclegan_tf

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--input_dir_A", required=True, help="folder of images of A")
parser.add_argument("--input_dir_B", required=True, help="folder of images of B")
parser.add_argument("--output_dir", default="cyclegan_run", help="the run folder to write")
parser.add_argument("--size", type=int, default=256, help="of the random crops, in pixels")
parser.add_argument("--ngf", type=int, default=64, help="filters of all networks")
parser.add_argument("--epochs", type=int, default=200)

if __name__ == "__main__":
    args = parser.parse_args()
    paths_a = cyclegan_tf.list_images(args.input_dir_A)
    paths_b = cyclegan_tf.list_images(args.input_dir_B)
    steps = max(len(paths_a), len(paths_b))
    data = cyclegan_tf.training_unpaired(
        paths_a, paths_b, crop_size=args.size, load_size=args.size * 9 // 8, seed=1
    )
    # The learning rate falls to zero in the second half.
    config = cyclegan_tf.CycleGANConfig(
        ngf=args.ngf,
        ndf=args.ngf,
        crop_size=args.size,
        load_size=args.size * 9 // 8,
        n_epochs=args.epochs - args.epochs // 2,
        n_epochs_decay=args.epochs // 2,
        seed=1,
    )
    model = cyclegan_tf.build(config, steps_per_epoch=steps)
    model.fit(
        data,
        steps_per_epoch=steps,
        epochs=args.epochs,
        shuffle=False,
        callbacks=[keras.callbacks.CSVLogger("losses.csv"), keras.callbacks.TerminateOnNaN()],
    )
    cyclegan_tf.save_run(model, config, args.output_dir)

    to_b = cyclegan_tf.load(args.output_dir, direction="AtoB")
    to_a = cyclegan_tf.load(args.output_dir, direction="BtoA")
    to_b.translate_file(paths_a[0], "a_to_b.png")
    to_a.translate_file(paths_b[0], "b_to_a.png")
