// A Plan controller as a Go engineer would write it today on controller-runtime:
// the same resource and the same two plans, and of the status what users wait for.
// With -same it does what execloop does: it reads what is live, asks again until nothing
// is left, and writes the execution too.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

var gvk = schema.GroupVersionKind{Group: "execloop.dev", Version: "v1alpha1", Kind: "Plan"}

type task func(context.Context) error

type reconciler struct {
	client.Client
	live client.Reader // the informer's cache; with -same the API server
	same bool
	done sync.Map // uids of Plans whose noops were done
}

func (r *reconciler) create(ctx context.Context, p *unstructured.Unstructured) ([]task, error) {
	kind, _, _ := unstructured.NestedString(p.Object, "spec", "plan")
	n, _, _ := unstructured.NestedInt64(p.Object, "spec", "parameters", "count")
	switch kind {
	case "noop":
		if _, done := r.done.LoadOrStore(p.GetUID(), true); done {
			return nil, nil
		}
		ts := make([]task, n)
		for i := range ts {
			ts[i] = func(context.Context) error { return nil }
		}
		return ts, nil
	case "configmaps":
		var ts []task
		for i := int64(0); i < n; i++ {
			cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.GetNamespace(), Name: fmt.Sprintf("%s-%d", p.GetName(), i)}}
			err := r.live.Get(ctx, client.ObjectKeyFromObject(cm), cm)
			if apierrors.IsNotFound(err) {
				cm.Data = map[string]string{"plan": p.GetName()}
				ts = append(ts, func(ctx context.Context) error {
					if err := r.Create(ctx, cm); err != nil && !apierrors.IsAlreadyExists(err) {
						return err
					}
					return nil
				})
			} else if err != nil {
				return nil, err
			}
		}
		return ts, nil
	}
	return nil, fmt.Errorf("unknown plan %q", kind)
}

func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	p := &unstructured.Unstructured{}
	p.SetGroupVersionKind(gvk)
	if err := r.Get(ctx, req.NamespacedName, p); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	og, _, _ := unstructured.NestedInt64(p.Object, "status", "observedGeneration")
	if og == p.GetGeneration() {
		return ctrl.Result{}, nil
	}
	started := time.Now().UTC()
	runs, err := r.converge(ctx, p)
	if err != nil {
		return ctrl.Result{}, err
	}
	base := p.DeepCopy()
	ready := map[string]any{"type": "Ready", "status": "True", "reason": "Converged", "message": "no tasks remain",
		"observedGeneration": p.GetGeneration(), "lastTransitionTime": time.Now().UTC().Format(time.RFC3339)}
	if err := unstructured.SetNestedField(p.Object, p.GetGeneration(), "status", "observedGeneration"); err != nil {
		return ctrl.Result{}, err
	}
	if err := unstructured.SetNestedSlice(p.Object, []any{ready}, "status", "conditions"); err != nil {
		return ctrl.Result{}, err
	}
	if r.same {
		if err := addExecution(p, started, runs); err != nil {
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{}, r.Status().Patch(ctx, p, client.MergeFrom(base))
}

// converge does one run, with -same as many as it takes, and returns their number.
func (r *reconciler) converge(ctx context.Context, p *unstructured.Unstructured) (int64, error) {
	for runs := int64(1); ; runs++ {
		tasks, err := r.create(ctx, p)
		if err != nil {
			return runs, err
		}
		for _, t := range tasks {
			if err := t(ctx); err != nil {
				return runs, err
			}
		}
		if len(tasks) == 0 || !r.same {
			return runs, nil
		}
	}
}

// addExecution writes the fields of execloop's status that a convergence writes.
func addExecution(p *unstructured.Unstructured, started time.Time, runs int64) error {
	const layout = "2006-01-02T15:04:05.000000Z"
	spec, err := json.Marshal(p.Object["spec"])
	if err != nil {
		return err
	}
	sum, now := sha256.Sum256(spec), time.Now().UTC().Format(layout)
	id, inputs := fmt.Sprintf("%x", sum[8:14]), fmt.Sprintf("%x", sum[:8])
	status := p.Object["status"].(map[string]any)
	status["execution"] = map[string]any{"id": id, "inputs": inputs, "runs": runs, "errors": int64(0),
		"startedAt": started.Format(layout), "finishedAt": now, "result": "Converged",
		"generation": p.GetGeneration(), "message": "no tasks remain"}
	status["lastConvergedAt"], status["state"], status["errors"] = now, "Converged", "0/5"
	return nil
}

func main() {
	namespace := flag.String("namespace", "default", "the namespace to watch")
	workers := flag.Int("workers", 10, "reconciles at one moment")
	same := flag.Bool("same", false, "do what execloop does")
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseDevMode(false)))
	if err := run(*namespace, *workers, *same); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(namespace string, workers int, same bool) error {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	config := ctrl.GetConfigOrDie()
	config.QPS = -1 // no throttle of its own
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:   cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}},
		Client:  client.Options{Cache: &client.CacheOptions{Unstructured: true}},
	})
	if err != nil {
		return err
	}
	r := &reconciler{Client: mgr.GetClient(), live: mgr.GetClient(), same: same}
	if same {
		r.live = mgr.GetAPIReader()
	}
	plan := &unstructured.Unstructured{}
	plan.SetGroupVersionKind(gvk)
	err = ctrl.NewControllerManagedBy(mgr).Named("plan").
		For(plan, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(r)
	if err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}
