using System.Buffers;
using System.Text.Json;
using Weir.Configuration;
using Weir.Gateway.AgentTools;
using Weir.Mcp;

namespace Weir.Gateway.Endpoint;

/// <summary>What Weir says of itself and of what an agent may use, in both eras.</summary>
internal static class ServerDescription
{
    /// <summary>
    /// How long a client may keep a list. Short: a revoked tool should leave a client's sight soon, though it can be called no more at
    /// once.
    /// </summary>
    private const int ListTtlMilliseconds = 10_000;

    private static readonly string Version = typeof(ServerDescription).Assembly.GetName().Version?.ToString(3) ?? "0";

    public static void WriteInitializeResult(Utf8JsonWriter json, string version, AgentToolSet tools)
    {
        json.WriteStartObject();
        json.WriteString("protocolVersion"u8, version);
        WriteCapabilities(json);
        json.WritePropertyName("serverInfo"u8);
        WriteServerInfo(json);
        json.WriteString("instructions"u8, Instructions(tools));
        json.WriteEndObject();
    }

    public static void WriteDiscoverResult(Utf8JsonWriter json, AgentToolSet tools)
    {
        json.WriteStartObject();
        WriteCacheHints(json);
        json.WriteStartArray("supportedVersions"u8);
        json.WriteStringValue(Protocol.Modern);
        json.WriteEndArray();
        WriteCapabilities(json);
        json.WriteString("instructions"u8, Instructions(tools));
        json.WriteEndObject();
    }

    /// <summary>The members that a modern list carries beside its items.</summary>
    public static ReadOnlySpan<byte> CacheHints => Hints.AsSpan(1, Hints.Length - 2);

    private static readonly byte[] Hints = MakeHints();

    private static byte[] MakeHints()
    {
        var output = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(output, PlainJson.Writing))
        {
            json.WriteStartObject();
            WriteCacheHints(json);
            json.WriteEndObject();
        }

        return output.WrittenSpan.ToArray();
    }

    /// <summary>What every modern result that may be cached carries. Private: it depends on the agent's grants.</summary>
    private static void WriteCacheHints(Utf8JsonWriter json)
    {
        json.WriteString("resultType"u8, "complete"u8);
        json.WriteNumber("ttlMs"u8, ListTtlMilliseconds);
        json.WriteString("cacheScope"u8, "private"u8);
        json.WriteStartObject("_meta"u8);
        json.WritePropertyName(Protocol.MetaServerInfo);
        WriteServerInfo(json);
        json.WriteEndObject();
    }

    private static void WriteCapabilities(Utf8JsonWriter json)
    {
        json.WriteStartObject("capabilities"u8);
        foreach (var list in (ReadOnlySpan<string>)["tools", "prompts", "resources"])
        {
            json.WriteStartObject(list);
            json.WriteBoolean("listChanged"u8, true);
            if (list == "resources")
            {
                json.WriteBoolean("subscribe"u8, true);
            }

            json.WriteEndObject();
        }

        json.WriteStartObject("completions"u8);
        json.WriteEndObject();
        json.WriteStartObject("logging"u8);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteServerInfo(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name"u8, "weir"u8);
        json.WriteString("title"u8, "Weir"u8);
        json.WriteString("version"u8, Version);
        json.WriteEndObject();
    }

    private static string Instructions(AgentToolSet tools) => tools.Instances.Count == 0
        ? "No server is granted to this agent yet."
        : $"Tools of the servers {string.Join(", ", tools.Instances.Select(i => i.Name))}. "
            + "A tool's name starts with its server's. Every call is decided and recorded.";
}
