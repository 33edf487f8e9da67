package beam

import (
	"context"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
)

// interval is how often a worker tells how far it has come.
const interval = 10 * time.Second

// progress is what this process has done.
var progress meter

// meter counts bytes, and tells of them from time to time.
type meter struct {
	mu    sync.Mutex
	bytes int64
	last  time.Time
}

// add counts bytes of a total.
func (m *meter) add(ctx context.Context, bytes, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes += bytes
	if now := time.Now(); m.last.IsZero() {
		m.last = now
	} else if now.Sub(m.last) >= interval {
		m.last = now
		log.Infof(ctx, "this worker has written %.3g of %.3g GB", float64(m.bytes)/1e9, float64(total)/1e9)
	}
}
