package main

import (
	"log/slog"
	"math"
	"sync/atomic"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// nonFiniteFlag says what to do about what is not finite.
type nonFiniteFlag struct {
	NonFinite string `default:"warn" enum:"warn,error" help:"What to do about a NaN or an infinity in a tensor that is quantized: warn or error."`
}

// oddities counts what is not finite in a tensor.
type oddities struct{ nans, infinities atomic.Int64 }

// lookFor counts what is not finite among a tensor's elements from the one called first on, or refuses it.
func lookFor[T kernels.Float](f *nonFiniteFlag, o *oddities, in *safetensors.File, tensor string, x []T, first int) error {
	nans, infinities, at := nonFinite(x)
	if at < 0 {
		return nil
	}
	if f.NonFinite == "error" {
		return refuse(in, tensor, "element %d is %v, and --non-finite is error", first+at, wide(x[at]))
	}
	o.nans.Add(int64(nans))
	o.infinities.Add(int64(infinities))
	return nil
}

// warn says how many there are.
func (o *oddities) warn(log *slog.Logger, tensor string) {
	if nans, infinities := o.nans.Load(), o.infinities.Load(); nans+infinities > 0 {
		log.Warn("a group with a NaN or an infinity loses its other values", "tensor", tensor, "NaN", nans, "Inf", infinities)
	}
}

// nonFinite counts what is not finite, and tells where the first is; first is -1 if all elements are finite, which the range tells at the
// speed of reading.
func nonFinite[T kernels.Float](x []T) (nans, infinities, first int) {
	first = -1
	if len(x) == 0 {
		return 0, 0, first
	}
	var low, high [1]T
	kernels.MinMax(low[:], high[:], x, kernels.Grid{Rows: 1, Groups: 1, Len: len(x)})
	if finite(wide(low[0])) && finite(wide(high[0])) {
		return 0, 0, first
	}
	for i, v := range x {
		w := wide(v)
		if finite(w) {
			continue
		}
		if first < 0 {
			first = i
		}
		if w != w {
			nans++
		} else {
			infinities++
		}
	}
	return nans, infinities, first
}

// finite tells numbers from NaN and infinities.
func finite(x float32) bool { return x-x == 0 }

// wide widens an element.
func wide[T kernels.Float](x T) float32 {
	switch x := any(x).(type) {
	case float32:
		return x
	case float16.Float16:
		return x.Float32()
	case bf16.BFloat16:
		return x.Float32()
	}
	return float32(math.NaN())
}
