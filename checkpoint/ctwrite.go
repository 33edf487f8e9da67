package checkpoint

import (
	"iter"
	"slices"
	"strings"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// ctWriter quantizes a weight as compressed-tensors does on a CPU, which package quant has as a dialect, and lays the result out as that library does.
type ctWriter[T kernels.Float] struct {
	quantizer[T]
	preset ctPreset
}

// newCTWriter returns a converter for a matrix whose rows the group size divides.
func newCTWriter(t *Tensor, preset ctPreset, choice *Choice) (Converter, error) {
	switch t.dtype {
	case safetensors.F32:
		return makeCTWriter[float32](t, preset, choice)
	case safetensors.F16:
		return makeCTWriter[float16.Float16](t, preset, choice)
	case safetensors.BF16:
		return makeCTWriter[bf16.BFloat16](t, preset, choice)
	}
	return nil, t.refuse("is %v, want F32, F16 or BF16", t.dtype)
}

// ctQuantization refuses what compressed-tensors does not allow.
var ctQuantization = Quantization{
	NonFinite: func(t *Tensor, _, _, _ int) error {
		return t.refuse("has a NaN or an infinity, which compressed-tensors does not allow")
	},
	check: func(t *Tensor, p *quant.Params) error {
		for _, s := range p.Scale {
			if s-s != 0 {
				return t.refuse("has a scale that is %v in %v, which compressed-tensors does not allow", s, t.dtype)
			}
		}
		return nil
	},
}

func makeCTWriter[T kernels.Float](t *Tensor, preset ctPreset, choice *Choice) (Converter, error) {
	w := &ctWriter[T]{quantizer[T]{&ctQuantization, choice, parted[T]{t: t}}, preset}
	if preset.zeros() {
		w.align = ctZeros * t.RowLen()
	}
	_, err := w.cut(false)
	return w, err
}

// ctZeros is how many rows' zero points make a word.
const ctZeros = 8

// ctShape is where the shape of packed integers stands among the outputs.
const ctShape = 2

// Outputs returns codes, scales, and what else the format has.
func (w *ctWriter[T]) Outputs() []safetensors.Info {
	module, shape := strings.TrimSuffix(w.t.Name(), ".weight"), w.t.Shape()
	outputs := w.quantizer.Outputs()
	for i, suffix := range []string{".weight", ".weight_scale", ".weight_global_scale"}[:len(outputs)] {
		outputs[i].Name = module + suffix
	}
	switch w.preset.format {
	case ctNVFP4:
		outputs[2].Shape = safetensors.ShapeOf(1)
	case ctMXFP4:
		outputs[1].DType = safetensors.U8
	}
	switch w.preset.format {
	case ctNVFP4, ctMXFP4:
		outputs[0] = safetensors.Info{Name: module + ".weight_packed", DType: safetensors.U8, Shape: safetensors.ShapeOf(shape[0], shape[1]/2)}
	case ctPack:
		outputs[0] = safetensors.Info{Name: module + ".weight_packed", DType: safetensors.I32, Shape: safetensors.ShapeOf(shape[0], shape[1]/8)}
		outputs = append(outputs[:ctShape], safetensors.Info{Name: module + ".weight_shape", DType: safetensors.I64, Shape: safetensors.ShapeOf(2)})
		if w.preset.zeros() {
			groups := safetensors.ShapeOf((shape[0]+ctZeros-1)/ctZeros, shape[1]/w.preset.weights.group)
			outputs = append(outputs, safetensors.Info{Name: module + ".weight_zero_point", DType: safetensors.I32, Shape: groups})
		}
	}
	return outputs
}

// Pieces yields those of the codes, with what else is written.
func (w *ctWriter[T]) Pieces(most int64) iter.Seq[Piece] {
	return func(yield func(Piece) bool) {
		for p := range w.quantizer.Pieces(most) {
			if w.preset.format == ctPack && len(p.Runs) > 1 {
				codes, scales, zeros := p.Runs[0], p.Runs[1], p.Runs[2:]
				p.Runs = []Run{codes, scales}
				if p.First == 0 {
					p.Runs = append(p.Runs, Run{ctShape, 0, 16})
				}
				for _, r := range zeros {
					row := int64(w.t.RowLen() / w.preset.weights.group)
					p.Runs = append(p.Runs, Run{ctShape + 1, r.Offset / ctZeros * 4, (r.Size/row + ctZeros - 1) / ctZeros * row * 4})
				}
			}
			if !yield(p) {
				return
			}
		}
	}
}

// Do quantizes a piece.
func (w *ctWriter[T]) Do(s *Scratch, p Piece) ([][]byte, error) {
	results, err := w.quantizer.Do(s, p)
	if err != nil || w.preset.format != ctPack {
		return results, err
	}
	codes := wordsIn(results[0])
	for i := range codes {
		codes[i] ^= 0x88888888 // the least code is 0
	}
	if len(results) == 1 {
		return results, nil
	}
	if w.preset.zeros() {
		results[2] = w.zeroWords(s, results[2])
	}
	if p.First == 0 {
		shape := lend[int64](&s.out[3], 2)
		shape[0], shape[1] = int64(w.t.Rows()), int64(w.t.RowLen())
		toggleEndian(shape)
		s.results = slices.Insert(results, ctShape, bytesOf(shape))
	}
	return s.results, nil
}

// zeroWords packs the zero points of rows, 4 bits each, from the lowest on of the words of a row of groups.
func (w *ctWriter[T]) zeroWords(s *Scratch, zeros []byte) []byte {
	row := w.t.RowLen() / w.preset.weights.group
	words := lend[uint32](&s.wide, (len(zeros)/row+ctZeros-1)/ctZeros*row)
	clear(words)
	for i, z := range zeros {
		r, group := i/row, i%row
		words[r/ctZeros*row+group] |= uint32(z+8) << (r % ctZeros * 4)
	}
	toggleEndian(words)
	return bytesOf(words)
}
