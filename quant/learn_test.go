package quant_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
)

// A scale per row that is trained along with the weights: here the loss is the squared error of the weights themselves.
func ExampleFakeQuantizer_BackwardParams() {
	w := quant.Tensor[float32]{Data: make([]float32, 4*64), Shape: []int{4, 64}}
	for i := range w.Data {
		w.Data[i] = float32(math.Sin(float64(i*i))) * float32(math.Sin(float64(i)))
	}
	spec := quant.Spec{DType: quant.Int4, Granularity: quant.PerChannel(0)}
	observer, err := quant.New[float32](spec, quant.Weight)
	if err != nil {
		panic(err)
	}
	params, err := observer.LearnStart(w)
	if err != nil {
		panic(err)
	}
	q, err := quant.NewGiven[float32](spec, quant.Weight, params)
	if err != nil {
		panic(err)
	}
	var y, dx quant.Tensor[float32]
	var grads quant.ParamGradients
	for step := range 201 {
		if err := q.FakeQuantize(&y, w, nil); err != nil {
			panic(err)
		}
		loss := 0.0
		dy := quant.Tensor[float32]{Data: make([]float32, len(w.Data)), Shape: w.Shape}
		for i, v := range y.Data {
			dy.Data[i] = 2 * (v - w.Data[i])
			loss += float64(v-w.Data[i]) * float64(v-w.Data[i])
		}
		if step%100 == 0 {
			fmt.Printf("step %3d: loss %.3f\n", step, loss)
		}
		if err := q.BackwardParams(&dx, &grads, dy, w, q.LearnFactor(len(w.Data))); err != nil {
			panic(err)
		}
		for i, g := range grads.Scale {
			params.Scale[i] -= 0.05 * g
		}
		if err := q.SetParams(params); err != nil {
			panic(err)
		}
	}
	// Output:
	// step   0: loss 2.090
	// step 100: loss 0.322
	// step 200: loss 0.321
}

// TestBackwardParams takes each group by itself, wherever its elements lie: the gradients are those of kernels.LearnInt and LearnFloat.
func TestBackwardParams(t *testing.T) {
	const rows, columns = 24, 40
	shape := []int{rows, columns}
	x, dy := make([]float32, rows*columns), make([]float32, rows*columns)
	for i := range x {
		x[i], dy[i] = 5*float32(math.Sin(float64(i*i))), float32(math.Cos(float64(i)))
	}
	x[17] = float32(math.NaN())
	for _, granularity := range []quant.Granularity{quant.PerTensor(), quant.PerChannel(0), quant.PerChannel(1), quant.PerBlock(1, 8), quant.PerBlocks(6, 10)} {
		for _, dtype := range []quant.DType{quant.Int4, quant.Uint8, quant.Float8E4M3FN} {
			spec := quant.Spec{DType: dtype, Granularity: granularity}
			groups, err := granularity.Groups(shape, quant.Weight)
			require.NoError(t, err)
			params := quant.Params{Shape: groups}
			count := groups[0] * groups[1]
			for g := range count {
				params.Scale = append(params.Scale, 0.1+float32(g%3)/4)
				if dtype == quant.Uint8 {
					params.ZeroPoint = append(params.ZeroPoint, int32(100+g%9))
				}
			}
			q, err := quant.NewGiven[float32](spec, quant.Weight, params)
			require.NoError(t, err)
			var dx quant.Tensor[float32]
			var grads quant.ParamGradients
			require.NoError(t, q.BackwardParams(&dx, &grads, quant.Tensor[float32]{Data: dy, Shape: shape}, quant.Tensor[float32]{Data: x, Shape: shape}, 0.5))

			var y, want quant.Tensor[float32]
			mask := quant.Mask{Kind: quant.ByteMask}
			require.NoError(t, q.FakeQuantize(&y, quant.Tensor[float32]{Data: x, Shape: shape}, &mask))
			require.NoError(t, q.Backward(&want, quant.Tensor[float32]{Data: dy, Shape: shape}, mask))
			require.Equal(t, want.Data, dx.Data)

			for g := range count {
				var gx, gy []float32
				for r := range rows {
					for c := range columns {
						if r/(rows/groups[0])*groups[1]+c/(columns/groups[1]) == g {
							gx, gy = append(gx, x[r*columns+c]), append(gy, dy[r*columns+c])
						}
					}
				}
				grid := kernels.Grid{Rows: 1, Groups: 1, Len: len(gx)}
				var scale, zero [1]float32
				if dtype == quant.Float8E4M3FN {
					kernels.LearnFloat(scale[:], gy, gx, grid, &kernels.FloatParams{Format: kernels.E4M3FN, Scale: params.Scale[g:][:1]}, 0.5)
				} else {
					lo, hi := spec.QuantRange()
					p := kernels.IntParams{Format: kernels.Int8, Min: int(lo), Max: int(hi), Scale: params.Scale[g:][:1]}
					if dtype == quant.Uint8 {
						p.Format, p.ZeroPoint = kernels.Uint8, params.ZeroPoint[g:][:1]
					}
					kernels.LearnInt(scale[:], zero[:], gy, gx, grid, &p, 0.5)
					require.Equal(t, zero[0], grads.ZeroPoint[g])
				}
				require.Equal(t, scale[0], grads.Scale[g], "%v %v, group %d", dtype, granularity, g)
			}
		}
	}
}

// TestSetParams takes what NewGiven takes, of the same shape, and nothing else.
func TestSetParams(t *testing.T) {
	spec := quant.Spec{Granularity: quant.PerChannel(0)}
	observed, err := quant.New[float32](spec, quant.Weight)
	require.NoError(t, err)
	params := quant.Params{Shape: []int{2, 1}, Scale: []float32{1, 2}}
	require.ErrorIs(t, observed.SetParams(params), quant.ErrFixed)
	q, err := quant.NewGiven[float32](spec, quant.Weight, params)
	require.NoError(t, err)
	require.ErrorIs(t, q.SetParams(quant.Params{Shape: []int{1, 1}, Scale: []float32{1}}), quant.ErrParams)
	require.ErrorIs(t, q.SetParams(quant.Params{Shape: []int{2, 1}, Scale: []float32{1, float32(math.NaN())}}), quant.ErrParams)
	got, err := q.Params()
	require.NoError(t, err)
	require.Equal(t, params.Scale, got.Scale)
	params.Scale = []float32{3, 4}
	require.NoError(t, q.SetParams(params))
	got, err = q.Params()
	require.NoError(t, err)
	require.Equal(t, params.Scale, got.Scale)
}
