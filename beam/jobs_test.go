package beam

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/record"
	"github.com/lowbit-go/lowbit/safetensors"
)

func TestDequantizeIsTheTools(t *testing.T) {
	dir := t.TempDir()
	in, small := filepath.Join(dir, "in"), filepath.Join(dir, "small")
	makeModel(t, in, 2)
	for _, preset := range []string{"int4-g32", "w4a16-asym"} {
		tool(t, "quantize", "--preset", preset, "-o", small+preset, in)
		want, got := filepath.Join(dir, "want"+preset), filepath.Join(dir, "got"+preset)
		tool(t, "dequantize", "--dtype", "f16", "-o", want, small+preset)
		_, err := Run(t.Context(), Job{Do: dequantize, In: small + preset, Out: got, DType: "f16", Piece: 8 << 10, Span: 2})
		require.NoError(t, err)
		same(t, filesOf(t, want), filesOf(t, got))
	}
	_, err := Run(t.Context(), Job{Do: dequantize, In: in, Out: filepath.Join(dir, "none"), Piece: 8 << 10, Span: 2})
	require.ErrorContains(t, err, "is not quantized")
}

// What is said of tensors is what lowbit compare says, but for the last bits of sums, and does not depend on the pieces.
func TestCompareIsTheTools(t *testing.T) {
	dir := t.TempDir()
	in, small := filepath.Join(dir, "in"), filepath.Join(dir, "small")
	makeModel(t, in, 2)
	tool(t, "quantize", "--preset", "int4-g32", "-o", small, in)
	text, _ := exec.Command(program(t, "..", "./cmd/lowbit"), "compare", "--json", in, small).Output() // it ends with a status, as they differ
	type report struct {
		Tensors []comparison
		Summary map[string]any
	}
	var want report
	require.NoError(t, json.Unmarshal(text, &want))
	var first string
	for i, piece := range []int64{1024, 1 << 20} {
		out := filepath.Join(dir, fmt.Sprint(piece))
		_, err := Run(t.Context(), Job{Do: toCompare, In: in, Against: small, Out: out, Piece: piece, Span: 2})
		require.NoError(t, err)
		text, err := os.ReadFile(out)
		require.NoError(t, err)
		if i == 0 {
			first = string(text)
		}
		require.Equal(t, first, string(text))
	}
	var got report
	require.NoError(t, json.Unmarshal([]byte(first), &got))
	require.Equal(t, want.Summary, got.Summary)
	require.Len(t, got.Tensors, len(want.Tensors))
	for i, w := range want.Tensors {
		g := got.Tensors[i]
		require.Equal(t, w.Name, g.Name)
		require.Equal(t, w.Equal, g.Equal, w.Name)
		require.Equal(t, w.Differ, g.Differ, w.Name)
		require.Equal(t, w.A.Shape, g.A.Shape)
		if g.Worst != nil {
			require.Equal(t, w.Worst, g.Worst, w.Name)
			require.Equal(t, w.Apart, g.Apart)
		}
		for _, pair := range [][2]*float64{{w.SQNR, g.SQNR}, {w.Cosine, g.Cosine}} {
			if g.Worst == nil {
				continue // integers, whose bits alone are compared
			}
			require.Equal(t, pair[0] == nil, pair[1] == nil, w.Name)
			if pair[0] != nil {
				require.InEpsilon(t, *pair[0], *pair[1], 1e-12, w.Name)
			}
		}
	}
}

// The state is that of lowbit calibrate, byte for byte.
func TestCalibrateIsTheTools(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "batches")
	require.NoError(t, os.Mkdir(in, 0o777))
	r := rand.New(rand.NewPCG(15, 16))
	var batches []string
	for i := range 3 {
		tensors := []safetensors.Info{
			{Name: "layer.0", DType: safetensors.F32, Shape: safetensors.ShapeOf(8, 100+i)},
			{Name: "layer.1", DType: safetensors.BF16, Shape: safetensors.ShapeOf(4, 64)},
			{Name: "layer.2", DType: safetensors.F16, Shape: safetensors.ShapeOf(4, 32)},
		}[:3-i/2]
		path := filepath.Join(in, fmt.Sprintf("batch-%d.safetensors", i))
		w, err := safetensors.Create(path, nil, tensors)
		require.NoError(t, err)
		for _, info := range w.Tensors() {
			require.NoError(t, w.WriteTensor(info.Name, randomBytes(r, info), 0))
		}
		require.NoError(t, w.Commit())
		batches = append(batches, path)
	}
	const moving, channels = `{"qparam_calculator_cls":"moving_average"}`, `{"qparam_calculator_cls":"moving_average","granularity":{"type":"per_channel","axis":0}}`
	for _, test := range []struct {
		spec, include string
		args          []string
	}{
		{"ranges", "", []string{"--ranges"}},
		{"histogram", "", []string{"--histogram"}},
		{importance, "layer.[12]", []string{"--importance"}},
		{moving, "", []string{"--spec", moving}},
		{channels, "layer.[12]", []string{"--spec", channels}},
	} {
		j := Job{Do: toState, In: in, Out: filepath.Join(t.TempDir(), "state.safetensors"), Spec: test.spec, Include: test.include, Piece: 1024, Span: 1}
		args := test.args
		if test.include != "" {
			args = append(args, "--include", test.include)
		}
		want := filepath.Join(t.TempDir(), "want.safetensors")
		tool(t, append(append([]string{"calibrate", "-o", want}, args...), batches...)...)
		result, err := Run(t.Context(), j)
		require.NoError(t, err)
		require.Positive(t, result.Counters["tensors"])
		a, err := os.ReadFile(want)
		require.NoError(t, err)
		b, err := os.ReadFile(j.Out)
		require.NoError(t, err)
		require.True(t, string(a) == string(b), test.spec)
	}
	_, err := Run(t.Context(), Job{Do: toState, In: in, Out: filepath.Join(t.TempDir(), "none"), Spec: importance, Piece: 1024, Span: 1})
	require.ErrorContains(t, err, `tensor "layer.0": batch 2: `)
}

// Records are those that package record makes, in the order of the vectors.
func TestVectors(t *testing.T) {
	const dim, rows = 24, 101
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	require.NoError(t, os.MkdirAll(filepath.Join(in, "sub"), 0o777))
	r := rand.New(rand.NewPCG(17, 18))
	info := safetensors.Info{Name: "v", DType: safetensors.F32, Shape: safetensors.ShapeOf(rows, dim)}
	data := randomBytes(r, info)
	require.NoError(t, os.WriteFile(filepath.Join(in, "sub", "raw.f32"), data, 0o666))
	w, err := safetensors.Create(filepath.Join(in, "named.safetensors"), nil, []safetensors.Info{info})
	require.NoError(t, err)
	require.NoError(t, w.WriteTensor("v", data, 0))
	require.NoError(t, w.Commit())
	x := make([]float32, dim*rows)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	codec := record.Codec[float32]{Dim: dim}
	want := make([]byte, codec.Bytes(rows))
	require.NoError(t, codec.Quantize(want, x))
	_, err = Run(t.Context(), Job{Do: toRecords, In: in, Out: out, Dim: dim, Piece: 1024, Span: 3})
	require.NoError(t, err)
	same(t, map[string]string{"sub/raw.f32.records": string(want), "named.safetensors.records": string(want)}, filesOf(t, out))

	_, err = Run(t.Context(), Job{Do: toRecords, In: in, Out: out + "2", Dim: dim + 1, Piece: 1024, Span: 3})
	require.ErrorContains(t, err, "want one tensor, F32 of two axes")
}
