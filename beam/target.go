package beam

import (
	"fmt"
	"slices"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/safetensors"
)

// target is a file that is made of pieces, which any workers do in any order.
type target struct {
	name    string
	from    File // that is read
	head    []byte
	size    int64
	tensors int
	pieces  int

	// runs are where the results of a piece belong. Those of all pieces cover what is behind the head exactly.
	runs func(piece int) []extent

	// do does a piece, and hands over its results: data and the byte of the file that they belong to. The memory of s is theirs.
	do func(s *checkpoint.Scratch, piece int, write func(data []byte, off int64) error) error
}

// extent is a run of a file's bytes.
type extent struct{ off, size int64 }

// text is a small file that is written anew.
type text struct {
	name    string
	content []byte
}

// content is all that a job comes to: a pure function of the job and its input.
type content struct {
	targets []target
	others  []File         // that are copied
	texts   []text         // in their order
	indexed bool           // the last text makes the rest count; else the last target does
	facts   []fact         // that have to be known first
	numbers map[string]int // of facts
	digest  string
	after   int64  // bytes of all targets
	summary string // one line
}

// mark is the file that is written last.
func (c *content) mark() string {
	if c.indexed {
		return c.texts[len(c.texts)-1].name
	}
	return c.targets[len(c.targets)-1].name
}

// convert is the content of a conversion. It asks for facts where it needs them, and tells of what is not finite.
func convert(j *Job, in *snapshot, known func(checkpoint.Fact) ([]byte, error), nonFinite func(t *checkpoint.Tensor, nans, infinities, first int) error) (*content, error) {
	model, err := checkpoint.OpenFS(in)
	if err != nil {
		return nil, err
	}
	if j.Do == dequantize && model.Method() == "" && !slices.ContainsFunc(model.Shards(), written) {
		return nil, fmt.Errorf("is not quantized: neither __metadata__ nor a config.json says how it was, nor the names of its tensors")
	}
	conversion, err := j.conversion(nonFinite)
	if err != nil {
		return nil, err
	}
	plan, err := checkpoint.NewPlan(model, conversion, j.Piece)
	if err != nil {
		return nil, err
	}
	c := &content{after: plan.After, numbers: map[string]int{}}
	plan.Known(known)
	if c.digest, err = plan.Digest(); err != nil {
		return nil, err
	}
	names, err := plan.OtherFiles(nil)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		c.others = append(c.others, in.files[n])
	}
	for i := range plan.Shards {
		s := &plan.Shards[i]
		for _, f := range plan.Facts(s) {
			c.numbers[f.String()] = len(c.facts)
			c.facts = append(c.facts, fact{
				Fact:    f,
				observe: func(scratch *checkpoint.Scratch, part int) ([]byte, error) { return plan.Observe(scratch, s, f, part) },
				merge:   func(parts [][]byte) ([]byte, error) { return plan.Merge(s, f, parts) },
			})
		}
		c.targets = append(c.targets, target{
			name: s.Name, from: in.files[s.Name], head: s.Head, size: s.Size, tensors: len(s.Tensors), pieces: len(s.Pieces),
			runs: func(piece int) (runs []extent) {
				for _, r := range s.Pieces[piece].Runs {
					runs = append(runs, extent{int64(len(s.Head)) + s.Tensors[r.Output].Offset + r.Offset, r.Size})
				}
				return runs
			},
			do: func(scratch *checkpoint.Scratch, piece int, write func([]byte, int64) error) error {
				return plan.Do(scratch, s, s.Pieces[piece], write)
			},
		})
	}
	if plan.Config != nil {
		c.texts = append(c.texts, text{"config.json", plan.Config})
	}
	if plan.Index != nil {
		c.texts = append(c.texts, text{plan.IndexName(), plan.Index})
		c.indexed = true
	}
	c.summary = fmt.Sprintf("%d of %d tensors would be converted, %d bytes to %d", plan.Converted(), len(plan.Changes), plan.Before, plan.After)
	return c, nil
}

// written tells whether a file has records of Lowbit's, be they of no tensor.
func written(f *safetensors.File) bool {
	_, ok := f.Metadata()[checkpoint.RecordsKey]
	return ok
}
