package main

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/safetensors"
)

// The report that quantize writes while it works is the one that compare writes of the result, for every kind of OUT and whatever the pieces.
func TestReportOfQuantize(t *testing.T) {
	dir := t.TempDir()
	in, model := filepath.Join(dir, "in"), saveGGUF(t, filepath.Join(dir, "in.gguf"))
	saveFolder(t, in)
	odd := save(t, filepath.Join(dir, "odd"), noise("a.weight", safetensors.BF16, 128, 256), ramp("b.weight", 3, 160), ramp("c.norm", 20000), ramp("none", 0),
		of("d", safetensors.F4, []int{2, 2}, uint8(0x12), uint8(0x34)), of("e", safetensors.F6_E2M3, []int{1, 4}, uint8(1), uint8(2), uint8(3)))
	finite := filepath.Join(dir, "finite")
	require.NoError(t, os.Mkdir(finite, 0o777))
	save(t, filepath.Join(finite, "model.safetensors"), ramp("a.weight", 40, 512), ramp("b.weight", 24, 256), ramp("b.norm", 9))
	for _, c := range []struct {
		in      string
		presets []string
	}{
		{odd, []string{"int8", "uint4-g32", "int4-g32-mse", "fp8", "fp8-block", "mxint8", "mxfp8", "mxfp6", "mxfp4"}},
		{in, []string{"int4-g32", "nvfp4"}},
		{finite, []string{"w8a8", "w4a16", "w4a16-asym", "fp8-dynamic", "fp8-block", "nvfp4", "mxfp4"}},
		{model, []string{"q4_k_m", "q8_0", "f16", "mxfp4"}},
	} {
		for _, preset := range c.presets {
			for _, piece := range []int64{pieceSize, 1 << 12} {
				inPieces(t, piece, wholeSize)
				out, page, again := filepath.Join(dir, "out"), filepath.Join(dir, "r.html"), filepath.Join(dir, "again.html")
				args := []string{"quantize", "--preset", preset, "--report", page, "-o", out, c.in}
				if c.in == finite {
					args = append(args, "--to", "compressed-tensors")
				}
				r := lowbit(t, args...)
				require.Equal(t, exitOK, r.status, "%q: %s", args, r.stderr)
				assert.Equal(t, exitFailed, lowbit(t, "compare", "--report", again, c.in, out).status, "%q", args)
				assert.Equal(t, readText(t, again), readText(t, page), "%q in pieces of %d", args, piece)
				require.NoError(t, os.RemoveAll(out))
			}
		}
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// IN is not read again for the report: OUT may take its place.
func TestReportInPlace(t *testing.T) {
	a, b := save(t, place(t, "a"), ramp("a.weight", 4, 32)), save(t, place(t, "b"), ramp("a.weight", 4, 32))
	out, page := place(t, "out"), place(t, "r.html")
	works(t, "quantize", "--preset", "int8", "--report", page, "-o", out, b)
	files := strings.NewReplacer(a, "FILE", b, "FILE", out, "FILE")
	want := files.Replace(readText(t, page))
	works(t, "quantize", "--preset", "int8", "--report", page, "-o", a, a)
	assert.Equal(t, want, files.Replace(readText(t, page)))
}

// A run that takes another up has the figures of shards that were finished then: what is noted of them, not what lies in them by now. Without a
// note they are read.
func TestReportOfFolderTakenUp(t *testing.T) {
	parent := t.TempDir()
	in, out, page := saveFolder(t, filepath.Join(parent, "in")), filepath.Join(parent, "out"), filepath.Join(parent, "r.html")
	args := []string{"quantize", "--workers", "1", "--preset", "int8", "--report", page, "-o", out, in}
	works(t, args...)
	want := readText(t, page)
	require.NoError(t, os.RemoveAll(out))
	for _, c := range []string{"as it is", "other codes", "no note", "no note's words"} {
		var whole []string
		for n := int64(1); n < 40 && len(whole) == 0; n++ {
			later := &whenAsked{Context: context.Background(), n: n, do: func() error { return context.Canceled }}
			lowbitUntil(t, later, args...)
			whole, _ = filepath.Glob(filepath.Join(parent, ".out.lowbit-*", "*.safetensors"))
		}
		require.Len(t, whole, 1, c)
		note := whole[0] + ".lowbit-note"
		require.FileExists(t, note)
		switch c {
		case "other codes":
			data := []byte(readText(t, whole[0]))
			data[len(data)-1] ^= 1
			require.NoError(t, os.WriteFile(whole[0], data, 0o666))
		case "no note":
			require.NoError(t, os.Remove(note))
		case "no note's words":
			require.NoError(t, os.WriteFile(note, []byte(`{"model.layers.0.mlp.up_proj.weight":[1,2]}`), 0o666))
		}
		works(t, args...)
		assert.Equal(t, want, readText(t, page), c)
		assert.NotContains(t, strings.Join(entries(t, out), " "), "note")
		require.NoError(t, os.RemoveAll(out))
	}
	assert.Equal(t, []string{"in", "r.html"}, entries(t, parent))
}

// A difference does not depend on the runs that it was found in, to the last bit of its sums, and survives as words.
func TestMeasurement(t *testing.T) {
	const n = 3*sumRun + 77
	r := rand.New(rand.NewPCG(1, 2))
	a, b := make([]float32, n), make([]float32, n)
	for i := range a {
		a[i] = float32(r.NormFloat64())
		b[i] = a[i] + float32(r.NormFloat64())*1e-3
	}
	measured := func(cuts ...int) *difference {
		m := newMeasurement(n, true)
		var ws measureWorkspace
		from := append([]int{0}, cuts...)
		for _, i := range r.Perm(len(from)) {
			to := n
			if i+1 < len(from) {
				to = from[i+1]
			}
			assert.False(t, m.whole())
			m.add(&ws, from[i], to-from[i], [2]elements{{floats: a[from[i]:to]}, {floats: b[from[i]:to]}})
		}
		require.True(t, m.whole())
		return m.difference()
	}
	want := measured()
	assert.InDelta(t, n*1e-6, want.noise, n*1e-7)
	for range 20 {
		assert.Equal(t, want, measured(1+r.IntN(sumRun), sumRun+r.IntN(9000), 2*sumRun, 3*sumRun+r.IntN(70)))
	}
	assert.Equal(t, want, differenceOf(want.words()))
	without := *want
	without.errors = nil
	assert.Equal(t, &without, differenceOf(without.words()))
	assert.Nil(t, differenceOf(want.words()[1:]))
}

// BenchmarkMeasurement measures bfloat16 against values of codes.
func BenchmarkMeasurement(b *testing.B) {
	const n = 1 << 20
	r := rand.New(rand.NewPCG(1, 2))
	stored, values := make([]byte, 2*n), make([]float32, n)
	for i := range values {
		v := bf16.FromFloat32(float32(r.NormFloat64()))
		binary.LittleEndian.PutUint16(stored[2*i:], uint16(v))
		values[i] = v.Float32() + float32(r.NormFloat64())*1e-3
	}
	var ws measureWorkspace
	for b.Loop() {
		newMeasurement(n, true).add(&ws, 0, n, [2]elements{{dtype: safetensors.BF16, bytes: stored}, {floats: values}})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/element")
}
