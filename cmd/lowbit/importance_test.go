package main

import (
	"encoding/binary"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// What calibrate --importance keeps of activations weighs the errors of a search, as quant has it.
func TestImportance(t *testing.T) {
	const rows, columns = 6, 64
	x, w := make([]float32, 10*columns), make([]float32, rows*columns)
	for i := range x {
		x[i] = float32(math.Sin(float64(i*i))) * float32(i%columns)
	}
	for i := range w {
		w[i] = float32(math.Cos(float64(i * i)))
	}
	activations := save(t, place(t, "batch"), of("a.weight", safetensors.F32, []int{10, columns}, x...))
	model := save(t, place(t, "model"), of("a.weight", safetensors.F32, []int{rows, columns}, w...), of("b.weight", safetensors.F32, []int{rows, columns}, w...))
	importance, out := place(t, "importance"), place(t, "out")
	works(t, "calibrate", "--importance", "-o", importance, activations)
	r := lowbit(t, "quantize", "--preset", "int4-g32-mse", "--imatrix", importance, "-o", out, model)
	require.Equal(t, exitOK, r.status, r.stderr)
	assert.Contains(t, r.stderr, "b.weight")

	spec, err := quant.Preset("int4-g32-mse")
	require.NoError(t, err)
	var seen quant.Importance[float32]
	require.NoError(t, seen.Add(quant.Tensor[float32]{Data: x, Shape: []int{10, columns}}))
	for name, weights := range map[string][]float32{"a.weight": seen.Weights(), "b.weight": nil} {
		q, err := quant.New[float32](spec, quant.Weight)
		require.NoError(t, err)
		q.Importance = weights
		codes := quant.Codes{Packed: true}
		require.NoError(t, q.Quantize(&codes, quant.Tensor[float32]{Data: w, Shape: []int{rows, columns}}))
		assert.Equal(t, codes.Data, load(t, out).tensors[name].data, name)
		assert.Equal(t, codes.Params.Scale, numbers[float32](t, load(t, out).tensors[name+".scale"]), name)
	}

	fails(t, exitUsage, []string{"--imatrix", "mse"}, "quantize", "--preset", "int4-g32", "--imatrix", importance, "-o", out, model)
	fails(t, exitUsage, []string{"--imatrix"}, "quantize", "--preset", "w4a16", "--imatrix", importance, "-o", place(t, "ct"), model)
	short := save(t, place(t, "short"), of("a.weight", safetensors.F32, []int{10, 3}, x[:30]...))
	works(t, "calibrate", "--importance", "-o", importance, short)
	fails(t, exitFailed, []string{"a.weight", "3 weights", "64"}, "quantize", "--preset", "int4-g32-mse", "--imatrix", importance, "-o", out, model)
}

// What calibrate keeps does the same as llama.cpp's matrix of the same weights, to GGUF and to the range calculator mse.
func TestImportanceForms(t *testing.T) {
	const name, rows, columns = "blk.0.attn_v.weight", 3, 256
	x := noise(name, safetensors.F32, rows, columns)
	for i, v := range numbers[float32](t, x) { // columns of large elements, and of small ones
		binary.LittleEndian.PutUint32(x.data[4*i:], math.Float32bits(v*float32(i%7*(i%7))))
	}
	state, matrix := place(t, "state"), place(t, "matrix.dat")
	works(t, "calibrate", "--importance", "-o", state, save(t, place(t, "batch"), x))
	var seen quant.Importance[float32]
	require.NoError(t, seen.Add(quant.Tensor[float32]{Data: numbers[float32](t, x), Shape: x.shape}))
	dat := binary.LittleEndian.AppendUint32(nil, 1) // entries
	dat = append(binary.LittleEndian.AppendUint32(dat, uint32(len(name))), name...)
	dat = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(dat, 1), columns) // calls, values
	for _, w := range seen.Weights() {
		dat = binary.LittleEndian.AppendUint32(dat, math.Float32bits(w))
	}
	require.NoError(t, os.WriteFile(matrix, dat, 0o666))

	model := saveGGUF(t, place(t, "model.gguf"))
	for _, to := range []string{"--preset=q4_k", "--preset=q4_0", "--preset=iq4_xs", "--to=lowbit --preset=int4-g32-mse"} {
		var values [3][]byte
		for i, with := range [][]string{{"--imatrix", state}, {"--imatrix", matrix}, nil} {
			out, back := place(t, "out"), place(t, "back")
			r := lowbit(t, slices.Concat([]string{"quantize"}, strings.Fields(to), with, []string{"-o", out, model})...)
			require.Equal(t, exitOK, r.status, r.stderr)
			works(t, "dequantize", "--dtype", "f32", "-o", back, out)
			values[i] = load(t, back).tensors[name].data
		}
		assert.Equal(t, values[0], values[1], to)
		assert.NotEqual(t, values[0], values[2], to)
	}
}

// A tensor without elements has no weights, and is quantized without.
func TestImportanceOfNothing(t *testing.T) {
	in, matrix := save(t, place(t, "in"), ramp("a.weight", 4, 32), ramp("b.weight", 0, 32)), place(t, "matrix")
	works(t, "calibrate", "--importance", "-o", matrix, in)
	r := lowbit(t, "quantize", "--preset", "int4-g32-mse", "--imatrix", matrix, "-o", place(t, "out"), in)
	require.Equal(t, exitOK, r.status, r.stderr)
}

// Experts in one tensor have weights of their own in llama.cpp's matrix, and the same ones in what calibrate keeps.
func TestImportanceOfExperts(t *testing.T) {
	const name, experts, rows, columns = "experts", 2, 3, 64
	x := noise(name, safetensors.F32, experts, rows, columns)
	in, state, matrix := save(t, place(t, "in"), x), place(t, "state"), place(t, "matrix.dat")
	works(t, "calibrate", "--importance", "-o", state, in)
	var alike quant.Importance[float32]
	require.NoError(t, alike.Add(quant.Tensor[float32]{Data: numbers[float32](t, x), Shape: x.shape}))
	own := make([]float32, experts*columns)
	dat := binary.LittleEndian.AppendUint32(nil, 1) // entries
	dat = append(binary.LittleEndian.AppendUint32(dat, uint32(len(name))), name...)
	dat = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(dat, 1), uint32(len(own))) // calls, values
	for i := range own {
		own[i] = float32(i * i % 13)
		dat = binary.LittleEndian.AppendUint32(dat, math.Float32bits(own[i]))
	}
	require.NoError(t, os.WriteFile(matrix, dat, 0o666))
	const text = `{"dtype":"int4","granularity":{"type":"per_block","block_size":[1,1,32]},"range_calculator_cls":"mse"}`
	spec, err := quant.ParseSpec([]byte(text))
	require.NoError(t, err)
	for file, weights := range map[string][]float32{state: alike.Weights(), matrix: own} {
		out := place(t, "out")
		works(t, "quantize", "--spec", text, "--imatrix", file, "-o", out, in)
		q, err := quant.New[float32](spec, quant.Weight)
		require.NoError(t, err)
		q.Importance = weights
		var codes quant.Codes
		require.NoError(t, q.Quantize(&codes, quant.Tensor[float32]{Data: numbers[float32](t, x), Shape: x.shape}))
		assert.Equal(t, codes.Params.Scale, numbers[float32](t, load(t, out).tensors[name+".scale"]))
	}
}
