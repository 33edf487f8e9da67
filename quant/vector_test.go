package quant_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Two quantizers live through the same calls, one of them without the way of a vector: tensors of one group and of more, observed, given and loaded
// parameters, switches, schedules, mistakes. Results, parameters and errors are the same.
func TestVector(t *testing.T) {
	t.Run("float32", testVector[float32])
	t.Run("bfloat16", testVector[bf16.BFloat16])
}

func testVector[T kernels.Float](t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	for range rounds(150) {
		spec := fmt.Sprintf(`{"dtype":%q,"qscheme":%q,"qformulation":%q,"qparam_calculator_cls":%q,"float_range":%s,"granularity":%s,"scale_dtype":%s}`,
			pick("int8", "uint8", "int4", "uint2", "float8_e4m3fn", "int16"), pick("symmetric", "asymmetric", "symmetric_with_clipping"), pick("zp", "zp", "minval"),
			pick("static", "moving_average", "dynamic", "global_minmax"), pick("[null,null]", "[null,null]", "[null,null]", "[-1.5,null]", "[-1.5,2.5]"),
			pick(`{"type":"per_tensor"}`, `{"type":"per_tensor"}`, `{"type":"per_channel","axis":0}`), pick("null", "null", "null", `"float16"`))
		s, err := quant.ParseSpec([]byte(spec))
		if err != nil {
			continue
		}
		var pair [2]*quant.FakeQuantizer[T]
		given := s.Calculator.Name != "dynamic" && r.IntN(4) == 0
		params := quant.Params{Scale: []float32{float32(r.IntN(4)) / 64}, MinVal: []float32{-1}}
		for i := range pair {
			if pair[i], err = quant.New[T](s, quant.Activation); given {
				if s.DType.IsFloat() {
					params.MinVal = nil
				}
				pair[i], err = quant.NewGiven[T](s, quant.Activation, params)
			}
			if err != nil {
				break
			}
		}
		if err != nil {
			continue
		}
		for range 12 {
			shape := [][]int{{1, 7}, {7}, {}, {3, 5}, {1, 1, 40}, {0, 3}, {-1, -4}, {1, 300}}[r.IntN(8)]
			n := 1
			for _, d := range shape {
				n *= d
			}
			x := quant.Tensor[T]{Shape: shape, Data: make([]T, max(0, n))}
			wide := make([]float32, len(x.Data))
			for i := range wide {
				wide[i] = float32(r.NormFloat64())
				if r.IntN(400) == 0 {
					wide[i] = []float32{float32(math.NaN()), float32(math.Inf(1)), math.MaxFloat32}[r.IntN(3)]
				}
			}
			toT(x.Data, wide)
			if r.IntN(20) == 0 && len(x.Data) > 0 {
				x.Data = x.Data[1:]
			}
			op, on, kind, packed := r.IntN(13), r.IntN(2) == 0, quant.MaskKind(r.IntN(3)), r.IntN(3) == 0
			step := func(q *quant.FakeQuantizer[T]) (result []any) {
				switch op {
				case 0, 1, 2, 3:
					c := quant.Codes{Packed: packed}
					err := q.Quantize(&c, x)
					result = append(result, errorText(err), c)
					if err == nil {
						var y quant.Tensor[T]
						err = quant.Dequantize(&y, c, 1)
						result = append(result, errorText(err), y)
					}
				case 4, 5:
					y, mask := quant.Tensor[T]{}, quant.Mask{Kind: kind}
					err := q.FakeQuantize(&y, x, &mask)
					result = append(result, errorText(err), y, mask)
				case 6: // in place
					y := quant.Tensor[T]{Data: slices.Clone(x.Data)}
					err := q.FakeQuantize(&y, quant.Tensor[T]{Data: y.Data, Shape: x.Shape}, nil)
					result = append(result, errorText(err), y)
				case 7:
					result = append(result, errorText(q.Observe(x)))
				case 8:
					result = append(result, errorText(q.EnableObserver(on)))
				case 9:
					q.EnableFakeQuant(on)
				case 10:
					result = append(result, errorText(q.SetExportMode(on)))
				case 11:
					if err := q.SetSchedule(quant.QATSchedule{EnableObserver: 1, EnableFakeQuant: 2, DisableObserver: 4}, 0); err == nil {
						q.Step()
						q.Step()
					}
				case 12:
					result = append(result, errorText(q.LoadState(q.State())))
				}
				p, err := q.Params()
				return append(result, errorText(err), p)
			}
			restore := quant.NoVectors()
			want := step(pair[0])
			restore()
			got := step(pair[1])
			require.Equal(t, fmt.Sprint(want...), fmt.Sprint(got...), "%s, op %d, %v", spec, op, shape)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func toT[T kernels.Float](dst []T, src []float32) {
	switch dst := any(dst).(type) {
	case []float32:
		copy(dst, src)
	case []bf16.BFloat16:
		kernels.EncodeBFloat16(dst, src)
	}
}

// Codes from elsewhere, right ones and wrong ones, have the same values or the same error either way.
func TestVectorOfForeignCodes(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	accepted := 0
	for range rounds(3000) {
		c := quant.Codes{
			Spec:  quant.Spec{DType: quant.DType(r.IntN(3)), Scheme: quant.Scheme(r.IntN(4)), Formulation: quant.Formulation(r.IntN(8) / 6)},
			Shape: [][]int{{4}, {1, 4}, {2, 2}, {-2, -2}, {4, 0}, {}}[r.IntN(6)],
			Data:  make([]byte, 4*r.IntN(2)+r.IntN(8)/7), Packed: r.IntN(4) == 0,
			Params: quant.Params{
				Shape: [][]int{nil, nil, {1}, {1, 1}, {2}, {1, 2}}[r.IntN(6)],
				Scale: []float32{[]float32{.5, 0, -1, float32(math.NaN())}[r.IntN(4)], 1}[:1+r.IntN(9)/8],
			},
		}
		for i := range c.Data {
			c.Data[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 {
			c.Params.ZeroPoint = make([]int32, r.IntN(9)/8+1)
			c.Params.ZeroPoint[0] = int32(r.IntN(400) - 200)
		}
		if c.Spec.Formulation != 0 || r.IntN(4) == 0 {
			c.Params.MinVal = make([]float32, r.IntN(9)/8+1)
		}
		switch r.IntN(20) {
		case 0:
			c.Spec.ScaleDType = quant.ScaleFloat16
		case 1:
			c.Params.Global = 1
		case 2:
			c.Spec.Granularity = quant.PerChannel(0)
		}
		var want, got quant.Tensor[float32]
		restore := quant.NoVectors()
		wantErr := quant.Dequantize(&want, c, 1)
		restore()
		gotErr := quant.Dequantize(&got, c, 1)
		require.Equal(t, errorText(wantErr), errorText(gotErr), "%+v", c)
		require.Equal(t, fmt.Sprint(want), fmt.Sprint(got), "%+v", c)
		if wantErr == nil {
			accepted++
		}
	}
	assert.Greater(t, accepted, 100)
}

// Goroutines share a dynamic quantizer: each has the codes and the parameters of its own vector.
func TestVectorsAtOnce(t *testing.T) {
	q := mustNew[float32](t, `{"dtype":"uint8","qscheme":"asymmetric","qparam_calculator_cls":"dynamic"}`, quant.Activation)
	var wait sync.WaitGroup
	for k := range 4 {
		wait.Go(func() {
			x := quant.Tensor[float32]{Shape: []int{1, 64}, Data: make([]float32, 64)}
			for i := range x.Data {
				x.Data[i] = float32((k + 1) * i)
			}
			var c quant.Codes
			var y quant.Tensor[float32]
			for range 200 {
				if !assert.NoError(t, q.Quantize(&c, x)) || !assert.NoError(t, q.FakeQuantize(&y, x, nil)) {
					return
				}
				want := float32((k+1)*63) / 255
				if !assert.Equal(t, []float32{want}, c.Params.Scale) || !assert.Equal(t, byte(255), c.Data[63]) || !assert.Equal(t, want*255, y.Data[63]) {
					return
				}
			}
		})
	}
	wait.Wait()
}
