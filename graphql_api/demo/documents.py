"""The GraphQL documents of the demo: all that a client needs from an account to a finished analysis."""

REGISTER = """
mutation Register($input: RegisterInput!) {
  register(input: $input) {
    session { accessToken }
    errors { code message path }
  }
}
"""

LOGIN = """
mutation Login($input: LoginInput!) {
  login(input: $input) {
    session { accessToken }
    errors { code message path }
  }
}
"""

CREATE = """
mutation CreateUpload($input: CreateUploadInput!) {
  createUpload(input: $input) {
    upload { id partCount media { id } }
    errors { code message path }
  }
}
"""

PARTS = """
query Parts($id: ID!, $after: Int!) {
  upload(id: $id) {
    parts(first: 100, afterNumber: $after) {
      number method url headers { name value } offsetBytes sizeBytes
    }
  }
}
"""

COMPLETE = """
mutation CompleteUpload($input: CompleteUploadInput!) {
  completeUpload(input: $input) {
    media { id status }
    run { id number }
    errors { code message path }
  }
}
"""

WATCH = """
subscription Watch($mediaId: ID!, $after: String) {
  pipeline(mediaId: $mediaId, after: $after) {
    kind cursor
    media { status }
    run { stages { ...Step } }
    stage { ...Step }
    event { type }
  }
}

fragment Step on Stage {
  id name shard status attempt done total engine reason startedAt finishedAt
}
"""

RESULT = """
query Result($id: ID!) {
  media(id: $id) {
    title status aiDescription recordedAt thumbnailUrl
    location { latitude longitude }
    metadata {
      durationSeconds format sizeBytes width height fps rotation videoCodec audioCodec bitrate
    }
    tags { confidence source tag { name } }
    ... on Video { captions(first: 20) { ...Said } }
    ... on Audio { captions(first: 20) { ...Said } }
    latestRun {
      number status costMicros
      stages { name shard status attempt engine reason startedAt finishedAt }
    }
  }
}

fragment Said on CaptionConnection {
  totalCount
  nodes { startTime endTime text source }
}
"""
