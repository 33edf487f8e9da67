package checkpoint

import (
	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// methodGGUF is the method of tensors of GGUF files, whose types are formats.
const methodGGUF = "gguf"

// ggufTypes are the types of GGUF that are no blocks.
var ggufTypes = map[gguf.Type]safetensors.DType{
	gguf.F32: safetensors.F32, gguf.F16: safetensors.F16, gguf.BF16: safetensors.BF16, gguf.F64: safetensors.F64,
	gguf.I8: safetensors.I8, gguf.I16: safetensors.I16, gguf.I32: safetensors.I32, gguf.I64: safetensors.I64,
}

// openGGUF makes the tensors of a GGUF file.
func (c *Checkpoint) openGGUF(path string) error {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	c.gguf, c.config = f, &config{}
	for _, info := range f.Tensors() {
		dtype := ggufTypes[info.Type]
		s := Stored{&safetensors.Info{Name: info.Name, DType: dtype, Shape: safetensors.ShapeOf(info.Shape...), Size: info.Size}, f}
		t := &Tensor{values: s, dtype: dtype}
		if dtype == 0 {
			scheme := Scheme{Method: methodGGUF, Format: info.Type.String(), Rows: 1, Cols: info.Type.BlockLen()}
			q := &quantized{name: info.Name, shape: s.dims(), scheme: scheme, parts: []Part{{Codes, s}}}
			*t = Tensor{dtype: safetensors.F32, quantized: q}
			if info.Type.Supported() {
				q.scheme.Bits = info.Type.BlockBytes() * 8 / info.Type.BlockLen()
				q.layout = &ggufBlocks{s, info.Type, info.Row()}
			} else {
				q.err = t.refuse("is of the type %v, which is not supported", info.Type)
			}
		}
		c.tensors = append(c.tensors, t)
	}
	return c.sortTensors()
}

// ggufBlocks are the blocks of a GGUF file.
type ggufBlocks struct {
	blocks Stored
	kind   gguf.Type
	row    int
}

func (*ggufBlocks) step() int { return 1 }

// readGGUF reads rows.
func readGGUF[T kernels.Float](l *ggufBlocks, s *scratch, dst []T, first int) error {
	for len(dst) > 0 {
		n := min(len(dst)/l.row, max(1, pieceLen/l.row))
		codes := lend[uint8](&s.codes, l.kind.Bytes(n*l.row))
		if err := read(l.blocks, codes, int64(first)*int64(l.kind.Bytes(l.row))); err != nil {
			return err
		}
		gguf.Dequantize(dst[:n*l.row], codes, gguf.Blocks{Type: l.kind, Row: l.row})
		dst, first = dst[n*l.row:], first+n
	}
	return nil
}
