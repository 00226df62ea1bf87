// The page's own part: queries by HTTP, subscriptions by graphql-transport-ws, both with the token
// of the "Headers" tab.
"use strict";

const url = new URL(window.location.pathname, window.location.href);
const socketUrl = new URL(url);
socketUrl.protocol = url.protocol === "https:" ? "wss:" : "ws:";

const welcome = `# Welcome to Vidura. Log in by the mutation
# "login" and put its accessToken behind
# "Bearer" in the Headers tab below.
# Subscriptions work here, too.

query Viewer {
  viewer {
    id
    name
    role
  }
}
`;

let socket = null;
let socketHeaders = "";

// A token is sent once, when a socket opens: another token needs another socket.
function socketFor(headers) {
  if (socket === null || socketHeaders !== JSON.stringify(headers)) {
    socket?.dispose();
    socketHeaders = JSON.stringify(headers);
    socket = graphqlWs.createClient({ url: socketUrl.href, connectionParams: headers });
  }
  return socket;
}

function fetcher(parameters, options = {}) {
  const headers = { ...options.headers };
  if (!/^Bearer \S/i.test(headers.Authorization ?? "")) {
    delete headers.Authorization;
  }
  const fetchWithToken = GraphiQL.createFetcher({ url: url.href, wsClient: socketFor(headers) });
  return fetchWithToken(parameters, { ...options, headers });
}

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher,
    defaultQuery: welcome,
    defaultHeaders: JSON.stringify({ Authorization: "Bearer " }, null, 2),
    defaultEditorToolsVisibility: "headers",
    shouldPersistHeaders: true,
  }),
);
