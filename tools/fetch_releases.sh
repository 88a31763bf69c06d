#!/usr/bin/env bash
# Fetch the pages of a repository's last releases, as vX.Y.Z.zip, with GitHub's command gh:
#
#     tools/fetch_releases.sh HOW_MANY FOLDER
set -euo pipefail
(($# == 2)) || { echo "usage: $0 HOW_MANY FOLDER" >&2; exit 2; }

mkdir -p "$2"
tags=$(gh release list --exclude-drafts --limit "$1" --json tagName --jq '.[].tagName')
for tag in $tags; do
    assets=$(gh release view "$tag" --json assets --jq '.assets[].name')
    if grep --quiet --line-regexp site.zip <<< "$assets"; then
        gh release download "$tag" --pattern site.zip --output "$2/$tag.zip"
    else
        echo "$tag has no pages (site.zip): it is left out."
    fi
done
