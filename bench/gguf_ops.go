package bench

import (
	"strings"

	"github.com/lowbit-go/lowbit/gguf"
)

// ggufOps quantize and dequantize blocks of GGUF files, whose scales are computed; those that search for them take a hundred times as long.
func ggufOps(searches bool) (ops []Op) {
	for _, t := range gguf.Types() {
		if !t.Quantized() {
			continue // plain conversions
		}
		searched := !strings.HasSuffix(t.String(), "_0") && !strings.HasSuffix(t.String(), "_1") && !strings.HasSuffix(t.String(), "FP4")
		name := strings.ToLower(t.String())
		add := func(name string, unit func(n int) int, begin func(a *arena, n int) work) {
			ops = append(ops, Op{name, grouping{unit: unit}, begin})
		}
		block := func(int) int { return t.BlockLen() }
		add("dequantize/"+name, block, func(a *arena, n int) work {
			x, blocks, y := elements[float32](a, n), alloc[byte](a, t.Bytes(n)), alloc[float32](a, n)
			gguf.Quantize(blocks, x, gguf.Blocks{Type: t})
			return work{func() { gguf.Dequantize(y, blocks, gguf.Blocks{Type: t}) }, len(blocks), size(y)}
		})
		if searched && !searches {
			continue
		}
		add("quantize/"+name, block, func(a *arena, n int) work {
			x, blocks := elements[float32](a, n), alloc[byte](a, t.Bytes(n))
			return work{func() { gguf.Quantize(blocks, x, gguf.Blocks{Type: t}) }, size(x), len(blocks)}
		})
		if t.Weighed() && searches {
			add("quantize/"+name+"/imatrix", weighedRow, func(a *arena, n int) work {
				row := weighedRow(n)
				x, blocks, importance := elements[float32](a, n), alloc[byte](a, t.Bytes(n)), alloc[float32](a, row)
				for i := range importance {
					importance[i] = x[i] * x[i]
				}
				return work{func() { gguf.Quantize(blocks, x, gguf.Blocks{Type: t, Row: row, Importance: importance}) }, size(x), len(blocks)}
			})
		}
	}
	return ops
}

// weighedRow is the length of rows with an importance matrix: a model's, or the shortest for fewer elements.
func weighedRow(n int) int {
	if n < 4096 {
		return 256
	}
	return 4096
}
