using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.Watching;

/// <summary>The request by which a modern server is listened to.</summary>
internal static class ListenRequest
{
    /// <param name="uris">The resources whose changes are of interest, beside those of the lists.</param>
    public static ReadOnlyMemory<byte> Build(long id, string[] uris) => RpcBody.Build(id, Methods.Listen, json =>
    {
        json.WriteStartObject("notifications"u8);
        json.WriteBoolean("toolsListChanged"u8, true);
        json.WriteBoolean("promptsListChanged"u8, true);
        json.WriteBoolean("resourcesListChanged"u8, true);
        if (uris.Length > 0)
        {
            json.WriteStartArray("resourceSubscriptions"u8);
            foreach (var uri in uris)
            {
                json.WriteStringValue(uri);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
        RpcBody.WriteModernMeta(json);
    });
}
