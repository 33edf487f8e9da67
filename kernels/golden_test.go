package kernels

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/golden"
	"github.com/lowbit-go/lowbit/safetensors"
)

// goldenSpec is what a kernel needs of a specification.
type goldenSpec struct {
	DType        string `json:"dtype"`
	QScheme      string `json:"qscheme"`
	QFormulation string `json:"qformulation"`
}

var goldenInts = map[string]IntParams{
	"int2": {Min: -2, Max: 1}, "int4": {Min: -8, Max: 7}, "int8": {Min: -128, Max: 127},
	"int6": {Min: -32, Max: 31}, "uint6": {Min: 0, Max: 63},
	"uint2": {Min: 0, Max: 3}, "uint4": {Min: 0, Max: 15}, "uint8": {Min: 0, Max: 255},
}

var goldenFloats = map[string]Format{"float8_e4m3fn": E4M3FN, "float8_e5m2": E5M2, "float4_e2m1fn_x2": E2M1}

// TestGolden runs the kernels with the reference's parameters: all that it
// quantized has to come out as it did there.
func TestGolden(t *testing.T) {
	cases, err := golden.Cases()
	require.NoError(t, err)
	forEachImplementation(t, func(t *testing.T) {
		tensors := 0
		for _, c := range cases {
			expected, err := golden.Expected(c.Name)
			require.NoError(t, err)
			inputs, err := golden.Inputs(c.Steps[len(c.Steps)-1].Input)
			require.NoError(t, err)
			var grads map[string]golden.Tensor
			if c.Grad != "" {
				grads, err = golden.Inputs(c.Grad)
				require.NoError(t, err)
			}
			var spec goldenSpec
			require.NoError(t, json.Unmarshal(c.Spec, &spec))
			for name, x := range inputs {
				if _, quantized := expected[name+".scale"]; !quantized {
					continue
				}
				tensors++
				want := map[string]golden.Tensor{"": expected[name]}
				for key, v := range expected {
					if field, ok := strings.CutPrefix(key, name+"."); ok {
						want[field] = v
					}
				}
				what := fmt.Sprintf("%s: %s", c.Name, name)
				switch x.DType {
				case safetensors.F32:
					checkGolden[float32](t, what, spec, x, grads[name], want)
				case safetensors.F16:
					checkGolden[float16.Float16](t, what, spec, x, grads[name], want)
				case safetensors.BF16:
					checkGolden[bf16.BFloat16](t, what, spec, x, grads[name], want)
				}
			}
		}
		assert.Equal(t, 559, tensors)
	})
}

// checkGolden holds the kernels' results for the tensor x against what is wanted of it.
func checkGolden[T Float](t *testing.T, what string, spec goldenSpec, x, grad golden.Tensor, want map[string]golden.Tensor) {
	src := golden.Values[T](x)
	n := len(src)
	scale := golden.Values[float32](want["scale"])
	spans := cut(x.Shape, want["scale"].Shape)
	ints, isInt := goldenInts[spec.DType]
	format := goldenFloats[spec.DType]
	if isInt {
		if spec.QScheme == "symmetric_with_clipping" && ints.Min < 0 {
			ints.Min++
		}
		ints.ZeroPoint = golden.Values[int32](want["zero_point"])
		if spec.QFormulation == "minval" {
			ints.Minval, ints.ZeroPoint = golden.Values[float32](want["minval"]), nil
		}
	}
	ofSpan := func(s span) *IntParams {
		p := &IntParams{Min: ints.Min, Max: ints.Max, Scale: scale[s.group:][:s.grid.Groups]}
		if ints.Minval != nil {
			p.Minval = ints.Minval[s.group:][:s.grid.Groups]
		} else {
			p.ZeroPoint = ints.ZeroPoint[s.group:][:s.grid.Groups]
		}
		return p
	}
	equal := func(field string, data []byte) {
		if i := want[field].Diff(data); i >= 0 {
			size := want[field].DType.Bits() / 8
			t.Errorf("%s: %q differs at element %d: % x, want % x; x = % x", what, field, i,
				data[i*size:][:size], want[field].Data[i*size:][:size], x.Data[i*x.DType.Bits()/8:][:x.DType.Bits()/8])
		}
	}

	// Fake-quantize, without and with a mask of bytes; of bits where a span
	// begins at a byte.
	y, mask := make([]T, n), make([]byte, n)
	bits := make([]byte, BitMaskLen(n))
	inPlace := slices.Clone(src)
	for _, s := range spans {
		dst, in := y[s.at:][:s.len], src[s.at:][:s.len]
		fake := func(dst []T, m Mask, in []T) {
			if isInt {
				FakeQuantizeInt(dst, m, in, s.grid, ofSpan(s))
			} else {
				FakeQuantizeFloat(dst, m, in, s.grid, &FloatParams{Format: format, Scale: scale[s.group:][:s.grid.Groups]})
			}
		}
		fake(dst, ByteMask(mask[s.at:][:s.len]), in)
		fake(inPlace[s.at:][:s.len], NoMask, inPlace[s.at:][:s.len])
		packed := make([]byte, BitMaskLen(s.len))
		fake(make([]T, s.len), BitMask(packed), in)
		for i := range s.len {
			at := s.at + i
			bits[at/8] |= packed[i/8] >> (i % 8) & 1 << (at % 8)
		}
	}
	equal("", golden.Bytes(y))
	equal("", golden.Bytes(inPlace))
	equal("mask", mask)
	unpacked := make([]byte, n)
	for i := range unpacked {
		unpacked[i] = bits[i/8] >> (i % 8) & 1
	}
	equal("mask", unpacked)

	// Codes and their values.
	codes, values := make([]byte, n), make([]float32, n)
	for _, s := range spans {
		q, in, out := codes[s.at:][:s.len], src[s.at:][:s.len], values[s.at:][:s.len]
		switch {
		case !isInt:
			p := &FloatParams{Format: format, Scale: scale[s.group:][:s.grid.Groups]}
			QuantizeFloat(q, in, s.grid, p)
			DequantizeFloat(out, q, s.grid, p)
		case ints.Min < 0:
			QuantizeInt(view[int8](q), in, s.grid, ofSpan(s))
			DequantizeInt(out, view[int8](q), s.grid, ofSpan(s))
		default:
			QuantizeInt(q, in, s.grid, ofSpan(s))
			DequantizeInt(out, q, s.grid, ofSpan(s))
		}
	}
	if isInt {
		// The reference leaves a NaN's code open; here it is 0.
		for _, field := range []string{"code", "dequantized"} {
			w := want[field]
			w.Data = slices.Clone(w.Data)
			want[field] = w
		}
		for i, v := range src {
			if group := groupOf(spans, i); isNaNQuotient(value(v), scale[group], ints, group) {
				want["code"].Data[i] = 0
				copy(want["dequantized"].Data[4*i:], golden.Bytes(values[i:i+1]))
			}
		}
	}
	equal("code", codes)
	equal("dequantized", golden.Bytes(values))

	if grad.Data != nil {
		dy, dx := golden.Values[T](grad), make([]T, n)
		Backward(dx, dy, ByteMask(mask))
		equal("grad", golden.Bytes(dx))
		Backward(dy, dy, BitMask(bits))
		equal("grad", golden.Bytes(dy))
	}
}

// isNaNQuotient reports whether the quotient that is rounded is a NaN.
func isNaNQuotient(x, scale float32, p IntParams, group int) bool {
	if p.Minval != nil {
		x -= p.Minval[group]
	}
	r := x / scale
	return r != r
}

// span is a stretch of a tensor that is one grid.
type span struct {
	at, len int
	grid    Grid
	group   int // of the grid's first
}

// groupOf returns the group of element i.
func groupOf(spans []span, i int) int {
	for _, s := range spans {
		if i < s.at+s.len {
			group, _ := s.grid.group(i - s.at)
			return s.group + group
		}
	}
	panic("outside of the tensor")
}

// cut cuts a tensor into spans; counts has the number of groups of each axis.
func cut(shape, counts []int) []span {
	g := Grid{Rows: 1, Groups: 1, Len: 1}
	axis := len(shape)
	// From the last axis on: axes within a group, one that groups divide, axes
	// that groups keep apart, axes whose elements share them.
	for axis > 0 && counts[axis-1] == 1 {
		axis--
		g.Len *= shape[axis]
	}
	if axis > 0 {
		axis--
		g.Len *= shape[axis] / counts[axis]
		g.Groups = counts[axis]
	}
	for axis > 0 && counts[axis-1] == shape[axis-1] {
		axis--
		g.Groups *= counts[axis]
	}
	for axis > 0 && counts[axis-1] == 1 {
		axis--
		g.Rows *= shape[axis]
	}
	n := g.Rows * g.Groups * g.Len
	groups := []int{0} // the first group at each index of the outer axes
	for k := range axis {
		var next []int
		for _, first := range groups {
			for i := range shape[k] {
				next = append(next, first*counts[k]+i/(shape[k]/counts[k]))
			}
		}
		groups = next
	}
	spans := make([]span, len(groups))
	for i, first := range groups {
		spans[i] = span{i * n, n, g, first * g.Groups}
	}
	return spans
}
