// Command lowbit-beam runs Lowbit's jobs as pipelines of Apache Beam: on prism in this process, unless -runner names another.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	lowbit "github.com/lowbit-go/lowbit/beam"
)

var (
	job    lowbit.Job
	dryRun = flag.Bool("dry-run", false, "print the plan, and write nothing")
)

func init() {
	flag.StringVar(&job.Do, "job", "quantize", strings.Join(lowbit.Kinds, ", "))
	flag.StringVar(&job.In, "in", "", "folder to read: a path or a URL (file, s3, gs, azblob)")
	flag.StringVar(&job.Out, "out", "", "folder to write; of compare and calibrate a file")
	flag.StringVar(&job.Preset, "preset", "", "how to quantize matrices of weights, by name, as lowbit quantize --preset")
	flag.StringVar(&job.Spec, "spec", "", "how to quantize tensors of floating-point numbers, in JSON, as lowbit quantize --spec; how to calibrate, or ranges, histogram or importance")
	flag.StringVar(&job.To, "to", "", "what to write: lowbit or compressed-tensors; by default what the preset is for")
	flag.BoolVar(&job.Pack, "pack", false, "pack codes of less than a byte, as presets do")
	flag.StringVar(&job.DType, "dtype", "", "type to dequantize to: f32, f16 or bf16; by default the model's")
	flag.StringVar(&job.Include, "include", "", "regular expression: only tensors whose name matches")
	flag.StringVar(&job.Exclude, "exclude", "", "regular expression: no tensors whose name matches")
	flag.StringVar(&job.Against, "against", "", "to compare: the checkpoint that is held against -in, which is taken as exact")
	flag.IntVar(&job.Dim, "dim", 0, "of vectors: how many numbers each has")
	flag.StringVar(&job.NonFinite, "non-finite", "warn", "what to do about a NaN or an infinity in what is quantized: warn or error")
	flag.Int64Var(&job.Piece, "piece", 8<<20, "bytes of a piece")
	flag.IntVar(&job.Span, "span", 8, "pieces that go through the engine as one element, done or done again together")
	flag.IntVar(&job.Workers, "workers", 0, "pieces of an element that are done at a time; 0 stands for the machine's processors")
	flag.BoolVar(&job.Restart, "restart", false, "begin anew, whatever an earlier run has left")
}

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *provision != "" {
		if err := boot(ctx); err != nil {
			fail(err)
		}
	}
	beam.Init() // a worker does not come back from here
	if err := run(ctx); err != nil {
		fail(err)
	}
}

// run does what the flags say.
func run(ctx context.Context) error {
	if flag.NArg() > 0 {
		return fmt.Errorf("%q: want flags only", flag.Arg(0))
	}
	if *dryRun {
		return lowbit.DryRun(ctx, os.Stdout, job)
	}
	dir, err := os.MkdirTemp("", "lowbit-beam")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	os.Setenv("TMPDIR", dir) // the engine leaves an empty file there
	begun := time.Now()
	r, err := lowbit.Run(ctx, job)
	switch {
	case err != nil:
		return err
	case r.Nothing:
		fmt.Printf("%s: nothing to do, %s is whole\n", job.Do, job.Out)
		return nil
	}
	fmt.Printf("%s: done in %.3g s\n", job.Do, time.Since(begun).Seconds())
	for _, name := range slices.Sorted(maps.Keys(r.Counters)) {
		fmt.Printf("%s %d\n", name, r.Counters[name])
	}
	return nil
}

// fail ends the program.
func fail(err error) {
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintln(os.Stderr, "lowbit-beam:", err)
	os.Exit(1)
}
