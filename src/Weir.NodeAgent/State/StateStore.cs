using System.Text.Json;
using System.Text.Json.Serialization;
using Weir.Nodes;

namespace Weir.NodeAgent.State;

/// <summary>What the node keeps of one instance: what should be, which operation said so, and what last was.</summary>
internal sealed record StoredServer(Guid Id, ServerSpec Spec, string? OperationId, string State, string? ErrorCode, string? Error);

/// <summary>One file per instance below <c>state/servers</c>.</summary>
internal sealed class StateStore
{
    private readonly string _directory;
    private readonly ILogger _log;

    public StateStore(string dataDirectory, ILogger log)
    {
        _directory = Path.Combine(dataDirectory, "state", "servers");
        _log = log;
        Directory.CreateDirectory(_directory);
    }

    public List<StoredServer> Load()
    {
        var all = new List<StoredServer>();
        foreach (var file in Directory.EnumerateFiles(_directory, "*.json"))
        {
            try
            {
                if (JsonSerializer.Deserialize(File.ReadAllBytes(file), StoreJson.Default.StoredServer) is { } server)
                {
                    all.Add(server);
                }
            }
            catch (JsonException e)
            {
                // Files are written whole: this was edited by hand. The others are served all the same.
                _log.LogError(e, "{File} cannot be read; its instance is not started.", file);
            }
        }

        return all;
    }

    public void Save(StoredServer server) =>
        StateFile.Write(PathOf(server.Id), JsonSerializer.SerializeToUtf8Bytes(server, StoreJson.Default.StoredServer));

    public void Delete(Guid id) => File.Delete(PathOf(id));

    private string PathOf(Guid id) => Path.Combine(_directory, $"{id}.json");
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(StoredServer))]
internal sealed partial class StoreJson : JsonSerializerContext;
