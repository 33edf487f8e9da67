package beam

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"
	"sync"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/record"
	"github.com/lowbit-go/lowbit/safetensors"
)

// vectorSource is a file of vectors: rows of float32, little-endian, from a byte on.
type vectorSource struct {
	io.ReaderAt
	name string
	base int64
	rows int64
}

// recordsSuffix is what the name of a file of records ends in.
const recordsSuffix = ".records"

// vectors is the content of a job that makes records of vectors: of each file F of the input, in a file of the name F.records, in their order.
// A file NAME.safetensors has one tensor, F32 of two axes; any other is rows of Dim numbers, one behind the other.
func vectors(j *Job, in *snapshot) (*content, error) {
	c := &content{digest: fmt.Sprintf("vectors of %d", j.Dim)}
	codec := record.Codec[float32]{Dim: j.Dim}
	for _, f := range j.Input {
		src, err := openVectors(j, in, f)
		if err != nil {
			return nil, err
		}
		rows := max(1, j.Piece/int64(4*j.Dim)) // of a piece
		size := int64(codec.Bytes(1))
		c.targets = append(c.targets, target{
			name: f.Name + recordsSuffix, from: f, size: size * src.rows, tensors: 1, pieces: int((src.rows + rows - 1) / rows),
			runs: func(piece int) []extent {
				first := int64(piece) * rows
				return []extent{{size * first, size * min(rows, src.rows-first)}}
			},
			do: func(_ *checkpoint.Scratch, piece int, write func([]byte, int64) error) error {
				first := int64(piece) * rows
				n := int(min(rows, src.rows-first))
				b := vectorBenches.Get().(*vectorBench)
				defer vectorBenches.Put(b)
				b.bytes, b.x, b.records = grow(b.bytes, 4*n*j.Dim), grow(b.x, n*j.Dim), grow(b.records, codec.Bytes(n))
				if m, err := src.ReadAt(b.bytes, src.base+4*first*int64(j.Dim)); m < len(b.bytes) {
					return fmt.Errorf("%s: %w", f.Name, err)
				}
				for i := range b.x {
					b.x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b.bytes[4*i:]))
				}
				if err := codec.Quantize(b.records, b.x); err != nil {
					return fmt.Errorf("%s: vectors from %d on: %w", f.Name, first, err)
				}
				return write(b.records, size*first)
			},
		})
		c.after += size * src.rows
	}
	c.summary = fmt.Sprintf("vectors of %d numbers would become records of %d bytes, %d bytes in all", j.Dim, codec.Bytes(1), c.after)
	return c, nil
}

// vectorBench is the memory of a worker.
type vectorBench struct {
	bytes, records []byte
	x              []float32
}

var vectorBenches = sync.Pool{New: func() any { return new(vectorBench) }}

// grow returns room for n elements, in the memory of s if it is enough.
func grow[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}

// openVectors tells where a file's vectors are.
func openVectors(j *Job, in *snapshot, f File) (src vectorSource, err error) {
	file, err := in.Open(f.Name)
	if err != nil {
		return src, err
	}
	src = vectorSource{ReaderAt: file.(io.ReaderAt), name: f.Name}
	row, size := int64(4*j.Dim), f.Size
	if path.Ext(f.Name) == ".safetensors" {
		st, err := safetensors.NewFile(src, f.Size, f.Name)
		if err != nil {
			return src, err
		}
		all := st.Tensors()
		if len(all) != 1 || all[0].DType != safetensors.F32 || all[0].Shape.Rank() != 2 || all[0].Shape.Dims()[1] != j.Dim {
			return src, fmt.Errorf("%s: want one tensor, F32 of two axes, the second of %d", f.Name, j.Dim)
		}
		src.base, size = f.Size-all[0].Size, all[0].Size
	}
	if size%row != 0 {
		return src, fmt.Errorf("%s: %d bytes are not whole vectors of %d numbers", f.Name, size, j.Dim)
	}
	src.rows = size / row
	return src, nil
}

// checkVectors tells what a job of vectors lacks.
func (j *Job) checkVectors() error {
	if j.Dim < 1 || j.Dim > 1<<20 {
		return fmt.Errorf("vectors are of %d numbers, want 1 to 2^20: -dim", j.Dim)
	}
	if strings.TrimSpace(j.Preset+j.Spec) != "" {
		return errors.New("vectors become records of int8: want no preset and no spec")
	}
	return nil
}
