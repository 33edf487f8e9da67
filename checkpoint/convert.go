package checkpoint

import (
	"iter"

	"github.com/lowbit-go/lowbit/safetensors"
)

// Kept says why a tensor stays as it is stored.
type Kept string

// Error returns the reason.
func (k Kept) Error() string { return string(k) }

// Converter converts a tensor. Its methods may be called by several goroutines at a time. All but Do are pure functions of headers.
type Converter interface {
	// Outputs returns the tensors that are to be stored: Name, DType and Shape.
	Outputs() []safetensors.Info

	// Pieces yields pieces, of some most bytes of what is read and written, that cover each output exactly.
	Pieces(most int64) iter.Seq[Piece]

	// Do does a piece. It returns the bytes of its runs, in the memory of s.
	Do(s *Scratch, p Piece) ([][]byte, error)
}

// Piece is a piece of a conversion: some rows of a tensor, and where its results belong.
type Piece struct {
	Tensor string // its name in the plain model
	First  int    // row
	Rows   int
	Runs   []Run
}

// Run is a run of bytes.
type Run struct {
	Output int   // of Converter.Outputs; in a plan, of the shard's tensors
	Offset int64 // from the start of the tensor
	Size   int64
}

// Scratch is the memory of a worker, which may do one piece after the other with it. The zero value is ready to use.
type Scratch struct {
	scratch
	rows, observed, wide memory
	out                  [4]memory
	results              [][]byte

	watch   func(Passage) error // is told of what is converted, or is nil
	workers int                 // of the plan, where it is known
}

// rowPieces yields pieces of rows, a multiple of unit each but the last, so that the bytes of a row times their number are at most most.
func rowPieces(name string, rows, unit int, rowBytes, most int64, runs func(first, n int) []Run) iter.Seq[Piece] {
	return func(yield func(Piece) bool) {
		n := int(max(1, min(most/max(1, rowBytes), int64(rows))))
		n = max(unit, n/unit*unit)
		for first := 0; first < rows; first += n {
			n := min(n, rows-first)
			if !yield(Piece{name, first, n, runs(first, n)}) {
				return
			}
		}
	}
}
