package main

import (
	"log/slog"
	"sync/atomic"

	"github.com/lowbit-go/lowbit/internal/nonfinite"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// nonFiniteFlag says what to do about what is not finite.
type nonFiniteFlag struct {
	NonFinite string `default:"warn" enum:"warn,error" help:"What to do about a NaN or an infinity in a tensor that is quantized: warn or error. To gguf and compressed-tensors it is an error anyhow."`
}

// oddities counts what is not finite in a tensor.
type oddities struct{ nans, infinities atomic.Int64 }

// lookFor counts what is not finite among a tensor's elements from the one called first on, or refuses it.
func lookFor[T kernels.Float](f *nonFiniteFlag, o *oddities, in *safetensors.File, tensor string, x []T, first int) error {
	nans, infinities, at := nonfinite.Count(x)
	if at < 0 {
		return nil
	}
	if f.NonFinite == "error" {
		return refuse(in, tensor, "element %d is %v, and --non-finite is error", first+at, x[at])
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
