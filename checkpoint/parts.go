package checkpoint

import (
	"iter"

	"github.com/lowbit-go/lowbit/internal/quantizers"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
)

// parted is a tensor that is quantized part by part. Parts that memory holds are observed and quantized at once. Of those that are longer the ranges are
// found first, and of a tensor that has a scale of its own beside those of its groups that scale. All workers that wait for it take part.
type parted[T kernels.Float] struct {
	t    *Tensor
	stop func() error // is asked from time to time whether the work is to end with an error, or is nil

	align int // parts begin at a multiple of so many elements; 0 is 1

	known func(f Fact) ([]byte, error) // finds ranges, or is nil

	globals shared[quant.Ranges, float32]      // of the tensor
	params  shared[quant.Ranges, quant.Params] // of parts that are longer than a piece
}

// partedBy says how a tensor is cut and read.
type partedBy[T kernels.Float] interface {
	// cut cuts it. What is only observed is cut as if it were not packed: then pieces may begin anywhere.
	cut(observed bool) (quantizers.Pieces[T], error)

	// read reads elements from the one called first on. Several goroutines may call it.
	read(x []T, first int) error

	// searches tells whether ranges are searched for: parts of several groups are to be whole in memory, one group is read again and again.
	searches() bool
}

// unit is how many elements make a part.
func (t *parted[T]) unit(pieces quantizers.Pieces[T]) int {
	unit := pieces.Unit()
	for unit%max(1, t.align) != 0 {
		unit += pieces.Unit()
	}
	return min(unit, t.t.Elements())
}

// wholePieces is how many pieces' worth of a tensor may be in a worker's memory, so that groups that do not fit a piece are read once only.
const wholePieces = 8

// observePiece is how many elements are observed at a time.
const observePiece = 1 << 18

// observeJob is how many of these a worker observes before others may go on.
const observeJob = 8

// pieces yields pieces of at most n elements or whole parts, each with the groups whose parameters are written with it: those of a part with its first one.
// Inlined, its body would stand in the methods of each type that embeds a parted, for no time that shows.
//
//go:noinline
func (t *parted[T]) pieces(by partedBy[T], n int) iter.Seq2[quant.Part, quant.Part] {
	return func(yield func(piece, groups quant.Part) bool) {
		pieces, err := by.cut(false)
		if err != nil {
			panic(err) // it was no error before
		}
		if pieces.Gathers() && t.t.Elements() > wholePieces*n {
			pieces = pieces.ByGlobal(0)
		}
		unit := t.unit(pieces)
		for first, all := 0, t.t.Elements(); first < all; {
			part, err := pieces.Piece(first, min(max(1, n/unit)*unit, all-first))
			if err != nil {
				panic(err) // as units are whole bytes of codes
			}
			first += part.Len
			if part.Len <= wholePieces*n || by.searches() && part.Groups > 1 {
				if !yield(part, part) {
					return
				}
				continue
			}
			groups := part
			for piece := range pieces.Cut(part, n) {
				if !yield(piece, groups) {
					return
				}
				groups.Groups = 0
			}
		}
	}
}

// do reads a piece and has it quantized: by parameters, which are of the groups of part, or if they are nil as a part that is observed by itself.
func (t *parted[T]) do(s *Scratch, by partedBy[T], p Piece, x []T, quantize func(pieces quantizers.Pieces[T], part quant.Part, params *quant.Params) error) error {
	pieces, err := by.cut(false)
	if err != nil {
		return err
	}
	all, gathers := t.t.Elements(), pieces.Gathers()
	if gathers && p.Rows < all {
		global, err := t.globals.of(0, t.global(s, by, pieces))
		if err != nil {
			return err
		}
		defer t.globals.done(0, p.Rows, all)
		pieces = pieces.ByGlobal(global)
	}
	var params *quant.Params
	unit := t.unit(pieces)
	part, err := pieces.Piece(p.First, p.Rows)
	if err != nil {
		return t.t.wrap(err)
	}
	if whole := p.First%unit == 0 && (p.Rows%unit == 0 || p.First+p.Rows == all); !whole {
		long, err := pieces.Piece(p.First/unit*unit, min(unit, all-p.First/unit*unit))
		if err != nil {
			return t.t.wrap(err)
		}
		found, err := t.params.of(long.First, t.long(s, by, pieces, long, !gathers))
		if err != nil {
			return err
		}
		defer t.params.done(long.First, p.Rows, long.Len)
		params = &found
		part.Group, part.Groups = long.Group, long.Groups
	}
	if err := by.read(x, p.First); err != nil {
		return err
	}
	if pieces.Gathers() { // it is whole in memory
		var r quant.Ranges
		if err := pieces.ObserveGlobal(&r, part, x); err != nil {
			return t.t.wrap(err)
		}
		global, err := pieces.Global(&r)
		if err != nil {
			return t.t.wrap(err)
		}
		pieces = pieces.ByGlobal(global)
	}
	return t.t.wrap(quantize(pieces, part, params))
}

// global makes the scale of the whole tensor.
func (t *parted[T]) global(s *Scratch, by partedBy[T], pieces quantizers.Pieces[T]) maker[quant.Ranges, float32] {
	all, job := t.t.Elements(), globalJob(pieces, observeJob*observePiece)
	return maker[quant.Ranges, float32]{
		begin: func(r *quant.Ranges) (int, error) { return t.begin(r, pieces, 0, all, job, true) },
		do: func(r *quant.Ranges, i int) error {
			return t.observeGlobal(s, by, r, i*job, min(job, all-i*job))
		},
		end: func(r *quant.Ranges) (float32, error) {
			global, err := pieces.Global(r)
			return global, t.t.wrap(err)
		},
	}
}

// long makes the parameters of a part that is longer than a piece. It is not to be inlined, as pieces is not.
//
//go:noinline
func (t *parted[T]) long(s *Scratch, by partedBy[T], pieces quantizers.Pieces[T], part quant.Part, ask bool) maker[quant.Ranges, quant.Params] {
	const job = observeJob * observePiece
	return maker[quant.Ranges, quant.Params]{
		begin: func(r *quant.Ranges) (int, error) {
			if by.searches() {
				return 0, nil
			}
			return t.begin(r, pieces, part.First, part.Len, job, ask)
		},
		do: func(r *quant.Ranges, i int) error {
			return t.observeRun(s, by, r, part, part.First+i*job, min(job, part.Len-i*job))
		},
		end: func(r *quant.Ranges) (quant.Params, error) {
			var params quant.Params
			var err error
			if by.searches() {
				params, err = pieces.Search(part, s.workers, func(x []T, first int) error {
					if t.stop != nil {
						if err := t.stop(); err != nil {
							return err
						}
					}
					return by.read(x, first)
				})
			} else {
				params, err = pieces.Params(r, part)
			}
			return params, t.t.wrap(err)
		},
	}
}

// begin says how many jobs it takes to observe n elements: none if their ranges are fixed, or known to those who are asked, if they are to be asked.
func (t *parted[T]) begin(r *quant.Ranges, pieces quantizers.Pieces[T], first, n, job int, ask bool) (jobs int, err error) {
	if pieces.Fixed() {
		return 0, nil
	}
	if ask && t.known != nil {
		found, err := t.known(Fact{Tensor: t.t.Name(), First: first})
		if err != nil {
			return 0, t.t.wrap(err)
		}
		if found != nil {
			return 0, t.t.wrap(r.UnmarshalBinary(found))
		}
	}
	return (n + job - 1) / job, nil
}

// globalJob is how many elements make a job of about so many: parts that have no group in common, unless these are longer.
func globalJob[T kernels.Float](pieces quantizers.Pieces[T], about int) int {
	unit := pieces.ByGlobal(0).Unit()
	return max(1, about/unit) * unit
}

// observeGlobal widens the range of the whole tensor by that of n elements.
func (t *parted[T]) observeGlobal(s *Scratch, by partedBy[T], r *quant.Ranges, first, n int) error {
	pieces, err := by.cut(true)
	if err != nil {
		return err
	}
	step := observePiece
	if by.searches() {
		step = globalJob(pieces, observePiece)
	}
	return t.observePieces(s, by, first, n, step, func(at int, x []T) error {
		piece, err := pieces.ByGlobal(0).Piece(at, len(x))
		if err != nil {
			return err
		}
		return pieces.ObserveGlobal(r, piece, x)
	})
}

// observeRun widens the ranges of a part by those of n of its elements.
func (t *parted[T]) observeRun(s *Scratch, by partedBy[T], r *quant.Ranges, part quant.Part, first, n int) error {
	pieces, err := by.cut(true)
	if err != nil {
		return err
	}
	return t.observePieces(s, by, first, n, observePiece, func(at int, x []T) error {
		piece, err := pieces.Piece(at, len(x))
		if err != nil {
			return err
		}
		piece.Group, piece.Groups = part.Group, part.Groups
		return pieces.Observe(r, piece, x)
	})
}

// observePieces reads n elements, so many at a time, and has them observed.
func (t *parted[T]) observePieces(s *Scratch, by partedBy[T], first, n, step int, observe func(at int, x []T) error) error {
	for end := first + n; first < end; first += step {
		if t.stop != nil {
			if err := t.stop(); err != nil {
				return err
			}
		}
		x := lend[T](&s.observed, min(step, end-first))
		if err := by.read(x, first); err != nil {
			return err
		}
		if err := observe(first, x); err != nil {
			return t.t.wrap(err)
		}
	}
	return nil
}

func (t *parted[T]) subject() string { return t.t.Name() }

func (t *parted[T]) asks(known func(f Fact) ([]byte, error)) { t.known = known }
