package checkpoint

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/quant"
)

// BenchmarkReadRowsOfPresets does what BenchmarkReadRows does with what presets make of a matrix, packed as a preset of the tool is.
func BenchmarkReadRowsOfPresets(b *testing.B) {
	c := plainScheme()
	in := folder(b, c.config, c.all())
	read := func(preset string, job Job) {
		b.Run(preset, func(b *testing.B) {
			out := filepath.Join(b.TempDir(), "out")
			require.NoError(b, plan(b, in, job, 1<<20).WriteFolder(context.Background(), out, WriteOptions{}))
			benchmarkRows[bf16.BFloat16](b, lookup(b, open(b, out), "m.weight"), benchmarkedRows)
		})
	}
	for _, preset := range quant.Presets() {
		spec, err := quant.Preset(preset)
		require.NoError(b, err)
		pack := spec.DType.Bits() < 8
		read("lowbit/"+preset, &Quantization{Name: preset, Choose: func(*Tensor) *Choice { return &Choice{Spec: spec, Pack: pack} }})
	}
	for _, preset := range CompressedTensorsPresets() {
		read("compressed-tensors/"+preset, ctJob(b, preset))
	}
}

// BenchmarkCompressedTensors quantizes a matrix of 4096 x 4096 bfloat16.
func BenchmarkCompressedTensors(b *testing.B) {
	c := plainScheme()
	x := lookup(b, open(b, folder(b, c.config, c.all())), "m.weight")
	for _, preset := range CompressedTensorsPresets() {
		b.Run(preset, func(b *testing.B) {
			conv, err := newCTWriter(x, ctPresets[preset], ctPresets[preset].choice())
			require.NoError(b, err)
			var s Scratch
			for b.Loop() {
				for p := range conv.Pieces(1 << 20) {
					if _, err := conv.Do(&s, p); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*x.Elements()), "ns/weight")
		})
	}
}

// BenchmarkCopy copies the file that BenchmarkCompressedTensors reads.
func BenchmarkCopy(b *testing.B) {
	c := plainScheme()
	dir := folder(b, c.config, c.all())
	in := &Checkpoint{folder: dir}
	for b.Loop() {
		require.NoError(b, in.copyFile(filepath.Join(dir, "copy"), "model.safetensors"))
		require.NoError(b, os.Remove(filepath.Join(dir, "copy")))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*4096*4096), "ns/weight")
}
