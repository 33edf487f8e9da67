package checkpoint

import (
	"iter"

	"github.com/lowbit-go/lowbit/safetensors"
)

// dropper leaves a tensor out.
type dropper struct{}

func (dropper) Outputs() []safetensors.Info          { return nil }
func (dropper) Pieces(int64) iter.Seq[Piece]         { return func(func(Piece) bool) {} }
func (dropper) Do(*Scratch, Piece) ([][]byte, error) { return nil, nil }

// keeper copies a stored tensor.
type keeper struct{ Stored }

func (k keeper) Outputs() []safetensors.Info { return []safetensors.Info{*k.Info} }

// Pieces yields runs of bytes.
func (k keeper) Pieces(most int64) iter.Seq[Piece] {
	return func(yield func(Piece) bool) {
		for off := int64(0); off < k.Size; off += most {
			n := min(most, k.Size-off)
			if !yield(Piece{k.Name, int(off), int(n), []Run{{0, off, n}}}) {
				return
			}
		}
	}
}

// Do reads some bytes.
func (k keeper) Do(s *Scratch, p Piece) ([][]byte, error) {
	data := lend[uint8](&s.out[0], p.Rows)
	s.results = append(s.results[:0], data)
	if err := k.File.ReadTensor(k.Name, data, int64(p.First)); err != nil || s.watch == nil {
		return s.results, err
	}
	return s.results, s.watch(Passage{Tensor: k.Name, First: p.First * 8 / k.DType.Bits(), Stored: data})
}
