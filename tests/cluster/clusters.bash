# Sourced by the scripts beside it: where things are, and which cluster is meant.
# shellcheck shell=bash disable=SC2034
: "${CLUSTER_DIR:=${XDG_CACHE_HOME:-$HOME/.cache}/skerry-cluster}"
export CLUSTER_DIR
bin=$CLUSTER_DIR/bin
PATH=$PATH:$bin:/usr/sbin:/sbin
run=$CLUSTER_DIR/run  # lives as long as the cluster
containerd_root=$CLUSTER_DIR/containerd  # images stay when the cluster goes
namespace=skerry-node  # the network namespace of the single node
kind_name=skerry

own_kubeconfig=$run/pki/admin.kubeconfig
kind_kubeconfig=$CLUSTER_DIR/kind.kubeconfig

fail() { echo "cluster: $*" >&2; exit 1; }

# given: somebody's own, named by KUBECONFIG; kind: in Docker; modules: the single node of `single-node`.
which_cluster() {
  if [ -n "${KUBECONFIG:-}" ] && [ "$KUBECONFIG" != "$own_kubeconfig" ] && [ "$KUBECONFIG" != "$kind_kubeconfig" ]; then
    echo given
  elif [ -n "${CLUSTER:-}" ]; then
    case $CLUSTER in kind | modules) echo "$CLUSTER" ;; *) fail "CLUSTER=$CLUSTER is neither kind nor modules" ;; esac
  elif [ -d "$run" ]; then
    echo modules
  elif [ -f "$kind_kubeconfig" ] || timeout 5 docker info >/dev/null 2>&1; then
    echo kind
  else
    echo modules
  fi
}

kubeconfig_of() { # given|kind|modules
  case $1 in given) echo "$KUBECONFIG" ;; kind) echo "$kind_kubeconfig" ;; modules) echo "$own_kubeconfig" ;; esac
}

# Whether a process is ours: ids are reused, so its command line must name one of our folders.
ours() { # pid folder
  { tr '\0' ' ' < "/proc/$1/cmdline"; } 2>/dev/null | grep -qF "$2"
}

ctr() { command ctr -a "$run/containerd.sock" -n k8s.io "$@"; }
