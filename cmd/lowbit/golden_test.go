package main

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/internal/golden"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// goldenFiles gives the golden inputs as files.
type goldenFiles struct {
	dir   string
	saved map[string]bool
}

func (g *goldenFiles) path(t *testing.T, input string) string {
	path := filepath.Join(g.dir, strings.ReplaceAll(input, "/", "-")+".safetensors")
	if g.saved[input] {
		return path
	}
	g.saved[input] = true
	inputs, err := golden.Inputs(input)
	require.NoError(t, err)
	var tensors []tensor
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		x := inputs[name]
		tensors = append(tensors, tensor{name, x.DType, x.Shape, x.Data})
	}
	return save(t, path, tensors...)
}

// Every golden case that has no switches: fakequant, and for weights quantize and dequantize, give the reference's bits. With other
// implementations than the fastest it is a sample, unless LOWBIT_EXHAUSTIVE is set; the tests of package kernels leave nothing out.
func TestGolden(t *testing.T) {
	cases, err := golden.Cases()
	require.NoError(t, err)
	files := goldenFiles{t.TempDir(), make(map[string]bool)}
	implementations := kernels.Implementations()
	fastest := implementations[len(implementations)-1]
	for _, impl := range implementations {
		t.Run(impl, func(t *testing.T) {
			count := 0
			for i, c := range cases {
				if impl != fastest && os.Getenv("LOWBIT_EXHAUSTIVE") == "" && i%7 != 0 {
					continue
				}
				if slices.ContainsFunc(c.Steps, func(s golden.Step) bool { return s.Observer != nil || s.FakeQuant != nil }) {
					continue
				}
				count++
				checkFakeQuant(t, &files, impl, c)
				if c.Target == "weight" && len(c.Steps) == 1 {
					checkQuantize(t, &files, impl, c)
				}
			}
			assert.Greater(t, count, 60)
		})
	}
}

func checkFakeQuant(t *testing.T, files *goldenFiles, impl string, c golden.Case) {
	out := filepath.Join(files.dir, "out")
	args := []string{"fakequant", "--isa", impl, "--spec", string(c.Spec), "--target", c.Target, "-o", out}
	if c.Grad != "" {
		args = append(args, "--grad", files.path(t, c.Grad))
	}
	for _, step := range c.Steps {
		args = append(args, files.path(t, step.Input))
	}
	r := lowbit(t, args...)
	require.Equal(t, exitOK, r.status, "%s: %s", c.Name, r.stderr)
	expected, err := golden.Expected(c.Name)
	require.NoError(t, err)
	maps.DeleteFunc(expected, func(name string, _ golden.Tensor) bool {
		return strings.HasSuffix(name, ".code") || strings.HasSuffix(name, ".dequantized") || strings.HasPrefix(name, "step")
	})
	got := load(t, out)
	assert.ElementsMatch(t, slices.Collect(maps.Keys(expected)), got.names, c.Name)
	for name, want := range expected {
		if strings.HasSuffix(name, ".minval") { // the sign of a zero is not specified
			noNegativeZero(want.Data)
			noNegativeZero(got.tensors[name].data)
		}
		checkTensor(t, c.Name, want, got.tensors[name])
	}
}

func checkQuantize(t *testing.T, files *goldenFiles, impl string, c golden.Case) {
	codes, out := filepath.Join(files.dir, "codes"), filepath.Join(files.dir, "out")
	expected, err := golden.Expected(c.Name)
	require.NoError(t, err)
	inputs, err := golden.Inputs(c.Steps[0].Input)
	require.NoError(t, err)
	spec, err := quant.ParseSpec(c.Spec)
	require.NoError(t, err)
	for _, packed := range []bool{false, true} {
		if packed && spec.DType.Bits() == 8 {
			continue
		}
		args := []string{"quantize", "--isa", impl, "--spec", string(c.Spec), "-o", codes, files.path(t, c.Steps[0].Input)}
		if packed {
			args = append(args, "--pack")
		}
		r := lowbit(t, args...)
		if packed && strings.Contains(r.stderr, "want an even last axis") {
			assert.Contains(t, c.Name, "f4")
			continue
		}
		require.Equal(t, exitOK, r.status, "%s: %s", c.Name, r.stderr)
		require.Equal(t, exitOK, lowbit(t, "dequantize", "--isa", impl, "--dtype", "f32", "-o", out, codes).status, c.Name)
		quantized, dequantized := load(t, codes), load(t, out)
		assert.ElementsMatch(t, slices.Collect(maps.Keys(inputs)), dequantized.names, c.Name)
		for name, x := range inputs {
			code, ok := expected[name+".code"]
			if !ok { // a disabled quantizer
				checkTensor(t, c.Name, x, quantized.tensors[name])
				checkTensor(t, c.Name, x, dequantized.tensors[name])
				continue
			}
			// The reference does not say what the integer code of a NaN is; here it is 0, and so it is for packed float4.
			integer := code.DType == safetensors.I8 || code.DType == safetensors.U8
			value := expected[name+".dequantized"]
			for i, nan := range nans(x) {
				if nan && (integer || packed && quantized.tensors[name].dtype == safetensors.F4) {
					if integer {
						code.Data[i] = 0
					}
					copy(value.Data[4*i:], dequantized.tensors[name].data[4*i:][:4])
				}
			}
			checkScale(t, c.Name, expected[name+".scale"], quantized.tensors[name+".scale"])
			if !packed {
				checkTensor(t, c.Name, code, quantized.tensors[name])
			}
			checkTensor(t, c.Name, value, dequantized.tensors[name])
		}
	}
}

// checkScale holds scales of a narrow type against those of the reference.
func checkScale(t *testing.T, name string, want golden.Tensor, got tensor) {
	t.Helper()
	if got.dtype != safetensors.F32 {
		wide := make([]float64, len(got.data)*8/got.dtype.Bits())
		values(wide, got.dtype, got.data)
		got.dtype, got.data = safetensors.F32, nil
		for _, v := range wide {
			got.data = binary.LittleEndian.AppendUint32(got.data, math.Float32bits(float32(v)))
		}
	}
	checkTensor(t, name, want, got)
}

func checkTensor(t *testing.T, name string, want golden.Tensor, got tensor) {
	t.Helper()
	if want.DType != got.dtype || !slices.Equal(want.Shape, got.shape) {
		t.Errorf("%s: %s is %v %v, want %v %v", name, got.name, got.dtype, got.shape, want.DType, want.Shape)
	} else if i := want.Diff(got.data); i >= 0 {
		t.Errorf("%s: %s differs at element %d", name, got.name, i)
	}
}

func noNegativeZero(data []byte) {
	for i := 0; i < len(data); i += 4 {
		if bytes.Equal(data[i:i+4], []byte{0, 0, 0, 0x80}) {
			data[i+3] = 0
		}
	}
}

// nans tells which elements are NaN.
func nans(x golden.Tensor) []bool {
	var is []bool
	switch x.DType {
	case safetensors.F32:
		for i := 0; i < len(x.Data); i += 4 {
			v := math.Float32frombits(binary.LittleEndian.Uint32(x.Data[i:]))
			is = append(is, v != v)
		}
	case safetensors.F16, safetensors.BF16:
		exponent := map[safetensors.DType]uint16{safetensors.F16: 0x7c00, safetensors.BF16: 0x7f80}[x.DType]
		for i := 0; i < len(x.Data); i += 2 {
			is = append(is, binary.LittleEndian.Uint16(x.Data[i:])&0x7fff > exponent)
		}
	}
	return is
}
