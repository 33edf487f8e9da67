package checkpoint

import (
	"fmt"

	"github.com/lowbit-go/lowbit/quant"
)

// Fact is what has to be known of a run of a tensor before any of its pieces can be done by itself: the ranges of groups that are too long for
// a piece, or of NVFP4 the largest magnitude. A worker finds it out when it needs it, from all of the run. Several workers share that work by
// Plan.Observe, a part of the run each, and Plan.Merge; Plan.Known gives the result back.
type Fact struct {
	Tensor string
	First  int // the run's first element, or row
	Parts  int // into which it is cut

	len, part int // elements or rows of the run, and of a part
}

// String tells one fact of a plan from another.
func (f Fact) String() string { return fmt.Sprintf("%q from %d", f.Tensor, f.First) }

// cut returns the first element and the number of those of a part.
func (f Fact) cut(part int) (first, n int) {
	first = f.First + part*f.part
	return first, min(f.part, f.First+f.len-first)
}

func newFact(tensor string, first, n, part int) Fact {
	return Fact{tensor, first, (n + part - 1) / part, n, part}
}

// observer is a converter of which facts have to be known.
type observer interface {
	// subject is the name of the tensor that its facts are about.
	subject() string

	// facts lists them, in parts of some most bytes.
	facts(most int64) []Fact

	// observe returns what is to be merged of a part of a fact.
	observe(s *Scratch, f Fact, part int) ([]byte, error)

	// merge merges what observe has returned of all parts, in any order.
	merge(parts [][]byte) ([]byte, error)

	// asks sets whom to ask for a fact.
	asks(known func(f Fact) ([]byte, error))
}

// Facts lists the facts of a shard.
func (p *Plan) Facts(shard *Shard) (facts []Fact) {
	for _, conv := range shard.converters {
		if o, ok := conv.(observer); ok {
			facts = append(facts, o.facts(p.most)...)
		}
	}
	return facts
}

// Observe finds out what a part of the run says of a fact.
func (p *Plan) Observe(s *Scratch, shard *Shard, f Fact, part int) ([]byte, error) {
	o, err := shard.observer(f)
	if err != nil {
		return nil, err
	}
	if part < 0 || part >= f.Parts {
		return nil, fmt.Errorf("checkpoint: fact %v has no part %d", f, part)
	}
	return o.observe(s, f, part)
}

// Merge makes a fact of what Observe has returned of all its parts, in any order.
func (p *Plan) Merge(shard *Shard, f Fact, parts [][]byte) ([]byte, error) {
	o, err := shard.observer(f)
	if err != nil {
		return nil, err
	}
	return o.merge(parts)
}

// Known says whom to ask for facts that were found out elsewhere. Who has none returns nil, and the plan's worker finds it out. It is to be
// called before the first piece is done.
func (p *Plan) Known(known func(f Fact) ([]byte, error)) {
	for i := range p.Shards {
		for _, conv := range p.Shards[i].converters {
			if o, ok := conv.(observer); ok {
				o.asks(known)
			}
		}
	}
}

// observer finds the converter that a fact is about.
func (s *Shard) observer(f Fact) (observer, error) {
	for _, conv := range s.converters {
		if o, ok := conv.(observer); ok && o.subject() == f.Tensor {
			return o, nil
		}
	}
	return nil, fmt.Errorf("checkpoint: %s has no fact %v", s.Name, f)
}

// facts are the ranges of parts that are cut, or the range of a tensor that has a scale of its own beside those of its groups.
func (q *quantizer[T]) facts(most int64) (facts []Fact) {
	n := max(1, int(most)/(dtypeOf[T]().Bits()/8))
	pieces, err := q.cut(false)
	switch {
	case err != nil:
		panic(err) // it was no error before
	case pieces.Fixed():
	case pieces.Gathers():
		if all := q.t.Elements(); all > wholePieces*n {
			facts = append(facts, newFact(q.t.Name(), 0, all, globalJob(pieces, 8*n)))
		}
	case !q.searches():
		for part := range pieces.Parts(n) {
			if part.Len > wholePieces*n {
				facts = append(facts, newFact(q.t.Name(), part.First, part.Len, 8*max(64, n/64*64)))
			}
		}
	}
	return facts
}

func (q *quantizer[T]) observe(s *Scratch, f Fact, part int) ([]byte, error) {
	var r quant.Ranges
	pieces, err := q.cut(true)
	if err != nil {
		return nil, err
	}
	first, n := f.cut(part)
	if pieces.Gathers() {
		err = q.observeGlobal(s, q, &r, first, n)
	} else {
		var whole quant.Part
		if whole, err = pieces.Piece(f.First, f.len); err != nil {
			return nil, q.t.wrap(err)
		}
		err = q.observeRun(s, q, &r, whole, first, n)
	}
	if err != nil {
		return nil, err
	}
	return r.MarshalBinary()
}

func (q *quantizer[T]) merge(parts [][]byte) ([]byte, error) {
	var all quant.Ranges
	for _, data := range parts {
		var r quant.Ranges
		if err := r.UnmarshalBinary(data); err != nil {
			return nil, q.t.wrap(err)
		}
		if err := all.Merge(&r); err != nil {
			return nil, q.t.wrap(err)
		}
	}
	return all.MarshalBinary()
}
