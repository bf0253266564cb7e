namespace Weir.Configuration;

/// <summary>Documents: how they are cut, and how they are found by meaning.</summary>
internal sealed record KnowledgeConfig
{
    /// <summary>Largest document as it comes in. Bytes of the request.</summary>
    public int MaxDocumentBytes { get; init; } = 2 * 1024 * 1024;

    /// <summary>How long a piece of a document is at most. Characters.</summary>
    public int ChunkCharacters { get; init; } = 1200;

    /// <summary>How much of the piece before it each piece repeats. Characters.</summary>
    public int ChunkOverlap { get; init; } = 150;

    /// <summary>Whether the database's pgvector searches vectors, or this process: <c>auto</c>, <c>pgvector</c> or <c>exact</c>.</summary>
    public string Vectors { get; init; } = "auto";

    /// <summary>Most memory for vectors that this process searches itself. MiB.</summary>
    public int VectorCacheMegabytes { get; init; } = 512;

    /// <summary>Most requests that one person has open at a replica; 0: no bound. Requests.</summary>
    public int MaxConcurrentPerPerson { get; init; } = 16;

    /// <summary>Most requests that one person begins in a minute at a replica; 0: no bound. Requests.</summary>
    public int PerMinutePerPerson { get; init; } = 600;

    public EmbeddingsConfig Embeddings { get; init; } = new();

    public PineconeConfig Pinecone { get; init; } = new();

    public static KnowledgeConfig Read(ConfigReader reader)
    {
        var defaults = new KnowledgeConfig();
        var config = new KnowledgeConfig
        {
            MaxDocumentBytes = reader.Integer("knowledge.maxDocumentBytes", defaults.MaxDocumentBytes, 1024, 16 * 1024 * 1024),
            ChunkCharacters = reader.Integer("knowledge.chunkCharacters", defaults.ChunkCharacters, 200, 4000),
            ChunkOverlap = reader.Integer("knowledge.chunkOverlap", defaults.ChunkOverlap, 0, 1000),
            Vectors = reader.Text("knowledge.vectors", defaults.Vectors)!,
            VectorCacheMegabytes = reader.Integer("knowledge.vectorCacheMegabytes", defaults.VectorCacheMegabytes, 1, 65_536),
            MaxConcurrentPerPerson = reader.Integer("knowledge.maxConcurrentPerPerson", defaults.MaxConcurrentPerPerson, 0, 100_000),
            PerMinutePerPerson = reader.Integer("knowledge.perMinutePerPerson", defaults.PerMinutePerPerson, 0, 1_000_000),
            Embeddings = EmbeddingsConfig.Read(reader),
            Pinecone = PineconeConfig.Read(reader),
        };
        if (config.Vectors is not ("auto" or "pgvector" or "exact"))
        {
            reader.AddError("knowledge.vectors", $"\"{config.Vectors}\" is none of auto, pgvector and exact.");
        }

        if (config.ChunkOverlap > config.ChunkCharacters / 2)
        {
            reader.AddError("knowledge.chunkOverlap", "It is more than half of knowledge.chunkCharacters.");
        }

        return config;
    }
}

/// <summary>An endpoint that speaks OpenAI's <c>/v1/embeddings</c>; without a URL nothing is found by meaning.</summary>
internal sealed record EmbeddingsConfig
{
    /// <summary>The API's base, such as <c>https://api.openai.com/v1</c>; <c>/embeddings</c> is added.</summary>
    public Uri? Url { get; init; }

    public string? Model { get; init; }

    /// <summary>The environment variable that holds the key; unset: none is sent.</summary>
    public string? KeyVariable { get; init; }

    /// <summary>How many numbers a vector is asked to have; 0: the model's own.</summary>
    public int Dimensions { get; init; }

    /// <summary>Most texts in one request. Texts.</summary>
    public int Batch { get; init; } = 64;

    /// <summary>How long one request may take. Seconds.</summary>
    public int TimeoutSeconds { get; init; } = 30;

    /// <summary>
    /// How long a search waits for its query's embedding, and then for vectors that are not kept yet, before it goes on by words
    /// alone. Milliseconds.
    /// </summary>
    public int QueryMilliseconds { get; init; } = 600;

    public static EmbeddingsConfig Read(ConfigReader reader)
    {
        var defaults = new EmbeddingsConfig();
        var config = new EmbeddingsConfig
        {
            Url = reader.Url("knowledge.embeddings.url", null, "https", "http"),
            Model = reader.Text("knowledge.embeddings.model", null),
            KeyVariable = reader.Text("knowledge.embeddings.keyVariable", null),
            Dimensions = reader.Integer("knowledge.embeddings.dimensions", defaults.Dimensions, 0, 4096),
            Batch = reader.Integer("knowledge.embeddings.batch", defaults.Batch, 1, 512),
            TimeoutSeconds = reader.Integer("knowledge.embeddings.timeoutSeconds", defaults.TimeoutSeconds, 1, 300),
            QueryMilliseconds = reader.Integer("knowledge.embeddings.queryMilliseconds", defaults.QueryMilliseconds, 10, 60_000),
        };
        if (config.Url is null != config.Model is null)
        {
            reader.AddError("knowledge.embeddings.model", "It must be set where knowledge.embeddings.url is, and nowhere else.");
        }

        return config;
    }
}

/// <summary>Pinecone as the place of a datastore's vectors.</summary>
internal sealed record PineconeConfig
{
    /// <summary>The control plane, which says where an index is.</summary>
    public Uri Url { get; init; } = new("https://api.pinecone.io");

    /// <summary>The environment variable that holds the key.</summary>
    public string KeyVariable { get; init; } = "PINECONE_API_KEY";

    /// <summary>The indexes that datastores may name; none: no datastore has its vectors there.</summary>
    public IReadOnlyList<string> Indexes { get; init; } = [];

    /// <summary>How long one request may take. Seconds.</summary>
    public int TimeoutSeconds { get; init; } = 10;

    public static PineconeConfig Read(ConfigReader reader)
    {
        var defaults = new PineconeConfig();
        return new PineconeConfig
        {
            Url = reader.Url("knowledge.pinecone.url", defaults.Url, "https", "http")!,
            KeyVariable = reader.Text("knowledge.pinecone.keyVariable", defaults.KeyVariable)!,
            Indexes = reader.List("knowledge.pinecone.indexes", defaults.Indexes),
            TimeoutSeconds = reader.Integer("knowledge.pinecone.timeoutSeconds", defaults.TimeoutSeconds, 1, 300),
        };
    }
}
