#!/usr/bin/env bash
# Put the notebooks of a built site on a branch of a repository, from which Colab opens them:
#
#     tools/publish_notebooks.sh SITE REPOSITORY BRANCH
#
# The branch holds what the pages offer for download, as one commit without a past.
set -euo pipefail
(($# == 3)) || { echo "usage: $0 SITE REPOSITORY BRANCH" >&2; exit 2; }
site=$1 repository=$2 branch=$3

notebooks=$(mktemp -d)
trap 'rm -rf "$notebooks"' EXIT
cp -R "$site/_sources/." "$notebooks"
find "$notebooks" -type f ! -name '*.ipynb' -delete
[[ -n $(find "$notebooks" -name '*.ipynb') ]] || { echo "$site has no notebooks: make book" >&2; exit 1; }

cd "$notebooks"
git init --quiet --initial-branch "$branch"
git add .
git -c user.name="The workflow pages" -c user.email="pages@localhost" \
    commit --quiet --message "Notebooks of the published pages"
git push --quiet --force "$repository" "$branch"
