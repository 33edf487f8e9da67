// Package nonfinite finds NaN and infinities among elements.
package nonfinite

import (
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
)

// Count counts what is not finite, and tells where the first is; first is -1 if all elements are finite, which their range tells at the
// speed of reading.
func Count[T kernels.Float](x []T) (nans, infinities, first int) {
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

// Name says what was counted.
func Name(nans, infinities int) string {
	switch {
	case infinities == 0:
		return "NaN"
	case nans == 0:
		return "an infinity"
	}
	return "NaN or an infinity"
}

func finite(x float32) bool { return x-x == 0 }

func wide[T kernels.Float](x T) float32 {
	switch x := any(x).(type) {
	case float16.Float16:
		return x.Float32()
	case bf16.BFloat16:
		return x.Float32()
	}
	return any(x).(float32)
}
